import { type HardwareFacts, hardwareFactsSchema } from "#protocol/inventory.ts";
import { parseJsonObject } from "../core/values.ts";
import type { Clock, RunCommand } from "../ports.ts";
import { counted, hourMs, minuteMs, type SlowSource, Told } from "./slow-source.ts";

/** The hidden word of the agent's command line; see ../hardware/child.ts. */
const hardwareWord = "hardware-check";

/** A machine changes when somebody opens it. */
const everyMs = 24 * hourMs;
const retryMs = 6 * hourMs;
const timeoutMs = minuteMs;
/** The largest that the facts may be is a third of it. */
const maxBytes = 256 << 10;
/** What looks is a library of a third of a megabyte, for less than a second. */
const memoryFlags = ["--max-old-space-size=48", "--max-semi-space-size=1"];

/** What a process for the hardware printed; undefined: that is none of its answers. */
export function parseHardware(text: string): HardwareFacts | undefined {
  const facts = hardwareFactsSchema.safeParse(parseJsonObject(text));
  return facts.success ? facts.data : undefined;
}

/**
 * The machine that this node is, for who has to buy another one: looked at once a day by a process of its own, of the lowest priority, so that its
 * library is never in the agent's memory.
 */
export class HardwareSource implements SlowSource {
  readonly name = "hardware";
  readonly lendMs = 0;
  readonly patienceMs = timeoutMs + minuteMs;
  problem: string | undefined;
  readonly told = new Told<HardwareFacts | undefined>(undefined);
  private readonly fromMs: number;

  constructor(
    private readonly run: RunCommand,
    private readonly clock: Clock,
    private readonly how: { self: readonly string[]; afterMs: number },
  ) {
    this.fromMs = clock.monotonicMs() + how.afterMs;
  }

  get version(): number {
    return this.told.version;
  }

  everyMs(): number | undefined {
    if (this.clock.monotonicMs() < this.fromMs) return undefined;
    return this.problem === undefined ? everyMs : retryMs;
  }

  found(): string {
    const { value } = this.told;
    if (value === undefined) return "nothing";
    const machine = [value.maker, value.model].filter((part) => part !== undefined).join(" ") || "an unnamed machine";
    return `${machine}, ${value.memory === undefined ? "memory modules unknown" : counted(value.memory.modules.length, "memory module")}`;
  }

  async refresh(): Promise<void> {
    const [program = "", ...words] = this.how.self;
    const args = ["-c", "3", "nice", "-n", "19", program, ...memoryFlags, ...words, hardwareWord];
    const result = await this.run("ionice", args, { timeoutMs, maxBytes });
    this.problem = result.ok ? this.take(result) : result.problem;
  }

  /** Its problem. What was known stays. */
  private take({ stdout, stderr, code }: { stdout: string; stderr: string; code: number }): string | undefined {
    if (code !== 0) return `the process that looks at it ended with ${code}: ${stderr.trim().slice(-200)}`;
    const facts = parseHardware(stdout);
    if (facts === undefined) return "the answer of the process that looks at it was not understood";
    this.told.set(facts);
    return undefined;
  }

  /** Nothing of it is sampled. */
  put(): void {}
}
