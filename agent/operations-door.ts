import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { RangeStranger } from "#protocol/inventory.ts";
import type { Message } from "#protocol/messages.ts";
import { errorMessage, errorTrace } from "./core/error.ts";
import type { Clock, Log } from "./ports.ts";
import type { SessionOperations } from "./session.ts";
import { parseVmlist } from "./sources/cluster-config.ts";
import { readText } from "./sources/files.ts";

/** What agent/restore gives, once it is loaded. */
export type LoadedOperations = {
  hear(message: Message): void;
  connected(): void;
  tend(): Promise<void>;
};

/** What is wrong on this node, and guests in the range of test guests that are none of ours; undefined: nothing, and nobody could look. */
export type TellProblem = (problem: string | undefined, strangers: readonly RangeStranger[] | undefined) => void;

export type DoorPorts = {
  /** Loads all of it: most agents hardly ever need that. */
  load(send: (message: Message) => void, onProblem: TellProblem): Promise<LoadedOperations>;
  /** Folder of the journals. */
  dir: string;
  root: string;
  vmids: { first: number; last: number };
  clock: Clock;
  log: Log;
};

const tendEveryMs = 3_600_000;
/** A stranger in the range is noticed within so long. */
const lookEveryMs = 300_000;
/** Early in a boot the cluster's files aren't there yet. */
const tryAgainMs = 30_000;
const about = new Set<Message["type"]>(["op.start", "op.cancel", "op.keep", "op.seen"]);

const list = (dir: string): string[] => {
  try {
    return readdirSync(dir);
  } catch {
    return []; // never used
  }
};

/** Journals that are told and done have another name. */
const hasOpenJournals = (dir: string): boolean => list(dir).some((name) => name.endsWith(".jsonl"));

/** Also a sandbox that could not be removed, whose folder stays until it is: its journal may be done. `dir`: of the journals. */
export const mayOwe = (dir: string): boolean => hasOpenJournals(dir) || list(join(dir, "../sandboxes")).length > 0;

/** Stands before the operations so that an agent that has none to do doesn't carry them. */
export class OperationsDoor implements SessionOperations {
  /** Whoever tells the hub what is wrong here. */
  onProblem: TellProblem = () => undefined;
  private loaded: Promise<LoadedOperations> | undefined;
  private send: ((message: Message) => void) | undefined;

  constructor(private readonly ports: DoorPorts) {}

  hear(message: Message): boolean {
    if (!about.has(message.type)) return false;
    void this.use((operations) => operations.hear(message)).then((problem) => {
      if (problem !== undefined && message.type === "op.start") this.refuse(message.body.id, problem);
    });
    return true;
  }

  attach(send: (message: Message) => void): () => void {
    this.send = send;
    if (this.loaded !== undefined || hasOpenJournals(this.ports.dir)) void this.use((operations) => operations.connected());
    return () => {
      if (this.send === send) this.send = undefined;
    };
  }

  /** At the start, every hour, and when other guests are in the range: finishes what a dead agent began, and looks for leftovers. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.ports;
    let tended: { guests: string | undefined; atMs: number } | undefined;
    while (!signal.aborted) {
      const guests = await this.guestsInRange();
      const nowMs = clock.monotonicMs();
      const due = tended === undefined || tended.guests !== guests || nowMs - tended.atMs >= tendEveryMs;
      const problem = due ? await this.tend(guests) : undefined;
      if (due && problem === undefined) tended = { guests, atMs: nowMs };
      await clock.sleep(problem === undefined ? lookEveryMs : tryAgainMs, signal);
    }
  }

  /** Undefined: it worked, or there was nothing to do. */
  private async tend(guests: string | undefined): Promise<string | undefined> {
    if (mayOwe(this.ports.dir) || (guests !== undefined && guests !== "")) return this.use((operations) => operations.tend());
    if (guests !== undefined) this.onProblem(undefined, []);
    return undefined;
  }

  /** Nothing of it was begun: the hub may ask again. */
  private refuse(id: string, problem: string): void {
    const result = { kind: "refused", code: "unavailable", reason: problem.slice(0, 1000) };
    this.send?.({ type: "op.result", body: { id, result } });
  }

  /** Undefined: it worked. */
  private async use(work: (operations: LoadedOperations) => void | Promise<void>): Promise<string | undefined> {
    try {
      this.loaded ??= this.ports.load(
        (message) => this.send?.(message),
        (...told) => this.onProblem(...told),
      );
      const loaded = await this.loaded.catch((error: unknown) => {
        this.loaded = undefined;
        throw error;
      });
      await work(loaded);
      return undefined;
    } catch (error) {
      const problem = errorTrace(error);
      this.ports.log(3, "operations failed", { problem });
      return errorMessage(error);
    }
  }

  /** Their numbers; undefined: the list can't be read. */
  private async guestsInRange(): Promise<string | undefined> {
    const { first, last } = this.ports.vmids;
    const file = await readText(this.ports.root)("/etc/pve/.vmlist");
    const guests = file.ok ? parseVmlist(file.text) : undefined;
    return guests?.flatMap(({ vmid }) => (vmid >= first && vmid <= last ? [vmid] : [])).join(",");
  }
}
