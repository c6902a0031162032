import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { agentAlertSchema, type MessageOf } from "#protocol/messages.ts";
import type { WayResult } from "#protocol/outlet.ts";
import { AskedOutlet, type Switches } from "./asked-outlet.ts";
import { hubUnreachable, hubUnreachableId, type Raised, stepRaised, type Telling } from "./core/alert-memory.ts";
import { tellBy, writeJournal } from "./outlet-ways.ts";
import type { Clock, Log, RunCommand } from "./ports.ts";
import { readIfThere, writePrivate } from "./private-file.ts";

/** Tellings that wait for hooks or mail; the oldest ones give way, and the journal says so. */
const waitingMax = 1000;

export type OutletPorts = {
  switches: Switches;
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
  private readonly asked: AskedOutlet;

  constructor(private readonly ports: OutletPorts) {
    this.asked = new AskedOutlet(ports);
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

  /** What a receiver of the type `node` wants told, and what came of it by each way. */
  tell(body: MessageOf<"outlet.tell">["body"]): Promise<WayResult[]> {
    return this.asked.tell(body, this.node);
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
    if (this.ports.switches.journal === true) for (const telling of tell) writeJournal(telling, this.ports);
    this.work();
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
      await this.tellSlowly(telling);
      if (this.waiting[0] === telling) this.waiting.shift();
      this.save();
    }
  }

  private async tellSlowly(telling: Telling): Promise<void> {
    const { switches } = this.ports;
    const ways = (["hooks", "mail"] as const).filter((way) => switches[way] === true);
    await Promise.all(ways.map((way) => tellBy(way, telling, this.node, this.ports)));
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
