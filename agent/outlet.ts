import { lstat, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { agentAlertSchema, type MessageOf } from "#protocol/messages.ts";
import {
  hookEnvironment,
  hubUnreachable,
  hubUnreachableId,
  mailText,
  type Raised,
  stepRaised,
  type Telling,
  verdictOf,
} from "./core/alert-memory.ts";
import type { Clock, Log, RunCommand } from "./ports.ts";
import { readIfThere, writePrivate } from "./private-file.ts";

/** Below the root prefix. */
const hookDir = "etc/proven/alert.d";
const hookTimeoutMs = 30_000;
const hookMaxBytes = 64 << 10;
const hooksAtOnce = 4;
/** Tellings that wait for hooks or mail; the oldest ones give way, and the journal says so. */
const waitingMax = 1000;
const mailTimeoutMs = 30_000;

export type OutletPorts = {
  switches: { journal: boolean; hooks: boolean; mail: boolean };
  root: string;
  stateDir: string;
  run: RunCommand;
  clock: Clock;
  log: Log;
};

const stateSchema = z.strictObject({
  raised: z.record(z.string(), z.strictObject({ alert: agentAlertSchema, local: z.boolean() })),
  /** What was decided and may not have been told: told again after a start. */
  telling: z.array(z.strictObject({ state: z.enum(["firing", "resolved"]), alert: agentAlertSchema })),
});

/** Tells alerts where the admin of this node looks: journal, hook scripts, mail to root. */
export class Outlet {
  private raised: Raised;
  private readonly waiting: Telling[];
  private working: Promise<void> | undefined;
  /** The node's name in its cluster; until that is known, the machine's. */
  node = hostname().replace(/\..*/, "");
  private readonly path: string;

  constructor(private readonly ports: OutletPorts) {
    this.path = join(ports.stateDir, "outlet.json");
    const { raised, telling } = this.readState();
    this.raised = raised;
    this.waiting = telling;
    if (telling.length > 0) this.work();
  }

  /** What the hub dispatched. The same may come again. */
  hear(body: MessageOf<"alerts">["body"]): void {
    this.take(stepRaised(this.raised, body, this.ports.clock.now()));
  }

  /** There has been no hub for `awayMs`. Told once per outage, through restarts too. */
  hubIsAway(awayMs: number): void {
    if (this.raised[hubUnreachableId] !== undefined) return;
    const alert = hubUnreachable(this.node, this.ports.clock.now(), awayMs);
    this.take({ raised: { ...this.raised, [hubUnreachableId]: { alert, local: true } }, tell: [{ state: "firing", alert }] });
  }

  hubIsBack(): void {
    const now = this.ports.clock.now();
    const known = this.raised[hubUnreachableId];
    if (known === undefined) return;
    this.take(stepRaised(this.raised, { all: false, alerts: [{ ...known.alert, resolvedAt: now }] }, now));
  }

  /** Resolves when all is told, or after `atMostMs`. */
  async settled(atMostMs: number): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.idle(), this.ports.clock.sleep(atMostMs, late.signal)]);
    late.abort();
  }

  private async idle(): Promise<void> {
    while (this.working !== undefined) await this.working;
  }

  private take({ raised, tell }: { raised: Raised; tell: Telling[] }): void {
    if (tell.length === 0 && raised === this.raised) return;
    this.raised = raised;
    if (tell.length === 0) return;
    this.waiting.push(...tell);
    const dropped = this.waiting.splice(0, Math.max(0, this.waiting.length - waitingMax));
    if (dropped.length > 0) this.ports.log(4, "too many alerts at once: the oldest are not told", { dropped: dropped.length });
    this.save();
    if (this.ports.switches.journal) for (const telling of tell) this.writeJournal(telling);
    this.work();
  }

  /** At once: no slow hook delays the journal. */
  private writeJournal(telling: Telling): void {
    const { alert, state } = telling;
    const level = state === "resolved" ? 5 : ({ critical: 3, warning: 4, info: 6 } as const)[alert.severity];
    this.ports.log(level, `alert ${verdictOf(telling)}`, { alert: alert.id, state });
  }

  private work(): void {
    this.working ??= this.tellAll().finally(() => {
      this.working = undefined;
      if (this.waiting.length > 0) this.work();
    });
  }

  /** One after the other, so that an end never overtakes its beginning. What is told is noted after it: a crash repeats it and loses nothing. */
  private async tellAll(): Promise<void> {
    for (let telling = this.waiting[0]; telling !== undefined; telling = this.waiting[0]) {
      await this.tell(telling);
      if (this.waiting[0] === telling) this.waiting.shift();
      this.save();
    }
  }

  private async tell(telling: Telling): Promise<void> {
    const { switches } = this.ports;
    await Promise.all([switches.hooks ? this.runHooks(telling) : undefined, switches.mail ? this.mail(telling) : undefined]);
  }

  private async runHooks(telling: Telling): Promise<void> {
    const hooks = await this.findHooks();
    const env = hookEnvironment(telling, this.node);
    const runNext = async (): Promise<void> => {
      for (let hook = hooks.shift(); hook !== undefined; hook = hooks.shift()) await this.runHook(hook, env);
    };
    await Promise.all(Array.from({ length: hooksAtOnce }, runNext));
  }

  private async runHook(path: string, env: Record<string, string>): Promise<void> {
    const { run, log } = this.ports;
    const result = await run(path, [], { env, timeoutMs: hookTimeoutMs, maxBytes: hookMaxBytes });
    if (!result.ok) log(4, "an alert hook failed", { problem: result.problem });
    else if (result.code !== 0) {
      log(4, "an alert hook failed", { hook: path, code: result.code, said: lastLine(result.stderr) });
    }
  }

  /** Executables that only root, or who runs this agent, can have put there; names as run-parts(8) takes them, so no backup copies. */
  private async findHooks(): Promise<string[]> {
    const dir = join(this.ports.root, hookDir);
    const names = await readdir(dir).catch(() => []);
    const found: string[] = [];
    for (const name of names.filter((one) => /^[A-Za-z0-9_-]+(\.(sh|py|pl))?$/.test(one)).sort()) {
      const path = join(dir, name);
      const stat = await lstat(path).catch(() => undefined);
      if (stat === undefined || !stat.isFile() || (stat.mode & 0o111) === 0) continue;
      const trusted = (stat.uid === 0 || stat.uid === process.getuid?.()) && (stat.mode & 0o022) === 0;
      if (trusted) found.push(path);
      else this.ports.log(4, "an alert hook was not run: others than root can write it", { hook: path });
    }
    return found;
  }

  private async mail(telling: Telling): Promise<void> {
    const { run, log } = this.ports;
    const input = mailText(telling, this.node, encodeWord);
    const result = await run("sendmail", ["-oi", "-t"], { input, timeoutMs: mailTimeoutMs, maxBytes: hookMaxBytes });
    if (!result.ok) log(3, "mail to root failed", { problem: result.problem });
    else if (result.code !== 0) log(3, "mail to root failed", { code: result.code, said: lastLine(result.stderr) });
  }

  private readState(): { raised: Raised; telling: Telling[] } {
    const empty = { raised: {}, telling: [] };
    try {
      const text = readIfThere(this.path);
      return text === undefined ? empty : stateSchema.parse(JSON.parse(text));
    } catch (error) {
      this.ports.log(4, "what was told of alerts can't be read, beginning anew", { file: this.path, problem: String(error) });
      return empty;
    }
  }

  private save(): void {
    try {
      writePrivate(this.path, JSON.stringify({ raised: this.raised, telling: this.waiting }));
    } catch (error) {
      this.ports.log(4, "what was told of alerts can't be kept: a restart may repeat it", { problem: String(error) });
    }
  }
}

export const createOutlet = (ports: OutletPorts) => new Outlet(ports);

const lastLine = (text: string) => (text.trim().split("\n").at(-1) ?? "").slice(0, 300);

/** RFC 2047: words of at most 75 characters, each a whole number of characters. */
function encodeWord(text: string): string {
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character) > 42) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((one) => `=?UTF-8?B?${Buffer.from(one).toString("base64")}?=`).join("\n ");
}
