import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Message } from "#protocol/messages.ts";
import type { RestoreTest } from "#protocol/restore.ts";
import { parseJournal } from "../../agent/core/restore/journal.ts";
import type { Operations } from "../../agent/restore/operations.ts";
import type { RestoreLimits } from "../../agent/restore/ports.ts";
import { processName, thisProcess } from "../../agent/restore/process.ts";
import { type AgentEvent, type Fate, type MortalAgent, startMortal, unharmed } from "./killed-agent.ts";
import { fastFolder, newId, type RestoreNode } from "./restore-node.ts";

/** What goes on at the node while agents die one after the other. */
export type Drama = {
  name: string;
  limits?: Partial<RestoreLimits>;
  nodes?: number;
  /** Tests that run at once in the agent that dies first. Called once for each node; the first one's guest gets the first number. */
  orders(node: RestoreNode): RestoreTest[];
  /** Called before each performance. */
  before?(node: RestoreNode, orders: readonly RestoreTest[]): void;
  /** A test that another, immortal process of the same node runs meanwhile. */
  beside?(node: RestoreNode): RestoreTest;
  /** What somebody does when the first agent says something; true: this was it. Nothing is killed before. */
  cue?(stage: Stage, message: Message): boolean;
  /** When the first agent is dead, before the next one starts. */
  onDeath?(node: RestoreNode): Promise<void> | void;
  /** Said to each following agent once it has looked around. */
  later?(stage: Stage): void;
  /** Somebody has made the test guest his own on cue: it stays. */
  stays?: true;
};
export type Stage = { node: RestoreNode; hear: MortalAgent["hear"]; ids: readonly string[] };

/** `events`: of the last agent that was to die; `cueAt`: how many the first one had when the cue came. */
export type Performance = { dead: number; last: string; events: AgentEvent[]; cueAt: number; problems: string[] };

/** Number of the first test guest. */
const firstVmid = 990_000;
const ofTests = /(^|[ -])9900\d\d/;
/** Time until the next agent starts, ms: restores go on meanwhile, or end. */
const pausesMs = [0, 300, 6000, 90_000];

const describe = ({ node }: { node: RestoreNode }) => node.lab.restores.inventory();
type Inventory = ReturnType<typeof describe>;

/**
 * Plays a drama with one agent for each fate and an unharmed one at the end, which has to leave the node as it was. What is wrong afterwards is a
 * problem: a guest, volume or file more or less than before, harm that the lab saw, a result that says more than was proven.
 */
export async function perform(
  node: RestoreNode,
  drama: Drama,
  orders: readonly RestoreTest[],
  fates: readonly Fate[],
): Promise<Performance> {
  const dir = mkdtempSync(join(fastFolder(), "proven-killed-"));
  try {
    // PVE's stamps of tasks are whole seconds: what the last performance did must be older than this one.
    await node.drive(node.clock.sleep(2000));
    const before = describe({ node });
    drama.before?.(node, orders);
    const beside = drama.beside === undefined ? undefined : startBeside(node, drama.beside(node), dir);
    const played = await playFirst(node, drama, orders, dir, fates[0] ?? unharmed);
    let [dead, events] = [played.agent.isDead() ? 1 : 0, played.agent.events];
    for (const [index, fate] of fates.slice(1).entries()) {
      if (dead <= index) break;
      const next = await playNext(node, drama, played.ids, dir, fate, `${index + 2}:2:boot`);
      events = next.events;
      if (next.isDead()) dead++;
      next.end();
    }
    const last = events.at(-1)?.name ?? "";
    const final = await playNext(node, drama, played.ids, dir, unharmed, "99:9:boot");
    if (beside !== undefined) await node.drive(beside.done);
    const acted = played.cueAt > 0;
    const problems = [
      ...harm(node),
      ...difference(node, before, drama.stays === true && acted),
      ...played.ids.flatMap((id) =>
        judgeResult(final.operations, dir, id, dead > 0 && !played.wasDone(id), drama.stays === true && acted),
      ),
      ...(beside?.problems() ?? []),
    ];
    return { dead, last, events, cueAt: played.cueAt, problems };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const startOf = (id: string, params: RestoreTest, now: number) =>
  ({
    type: "op.start",
    body: {
      id,
      operation: { kind: "restore-test", params },
      expiresAt: now + 3_600_000,
      actor: "root@pam",
      reason: "brute force",
    },
  }) as const;

async function playFirst(node: RestoreNode, drama: Drama, orders: readonly RestoreTest[], dir: string, fate: Fate) {
  const ids = orders.map(() => newId());
  const open = new Set(ids);
  let cueAt = 0;
  let told: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    told = resolve;
  });
  const heard = (message: Message) => {
    if (cueAt === 0 && drama.cue?.({ node, hear: agent.hear, ids }, message) === true) cueAt = agent.events.length;
    if (message.type !== "op.result") return;
    open.delete(message.body.id);
    if (open.size === 0) told();
  };
  const body = drama.beside === undefined ? undefined : await Body.born();
  const agent = startMortal(node, { dir, process: body?.name ?? "1:1:boot", fate, heard });
  for (const [index, order] of orders.entries()) agent.hear(startOf(ids[index] as string, order, node.clock.now()));
  await node.drive(agent.unlessDead(over.then(() => agent.operations.settled())));
  const doneThen = new Set(ids.filter((id) => agent.operations.journals.read(id)?.result !== undefined));
  await body?.die();
  if (agent.isDead()) {
    await drama.onDeath?.(node);
    await node.drive(node.clock.sleep(pausesMs[fate.at % pausesMs.length] ?? 0));
  }
  return { agent, ids, cueAt, wasDone: (id: string) => doneThen.has(id) };
}

async function playNext(node: RestoreNode, drama: Drama, ids: readonly string[], dir: string, fate: Fate, process: string) {
  const agent = startMortal(node, { dir, process, fate });
  const { operations, hear } = agent;
  const work = async () => {
    await operations.tend();
    drama.later?.({ node, hear, ids });
    await operations.settled();
  };
  await node.drive(agent.unlessDead(work()));
  return agent;
}

/** A process that the first agent is, for another one that looks whether it lives. */
class Body {
  private constructor(
    private readonly child: ChildProcess,
    readonly name: string,
  ) {}

  static async born(): Promise<Body> {
    const child = spawn("sleep", ["3600"], { stdio: "ignore" });
    await once(child, "spawn");
    child.unref(); // nobody waits for it: time goes on while it runs
    const name = processName(child.pid ?? 0);
    if (name === undefined) throw new Error("sleep has ended");
    return new Body(child, name);
  }

  async die(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }
}

/** Another process that lives on, as of somebody who tests by hand at the node. */
function startBeside(node: RestoreNode, order: RestoreTest, dir: string) {
  const id = newId();
  let told: () => void = () => undefined;
  const result = new Promise<void>((resolve) => {
    told = resolve;
  });
  const heard = (message: Message) => {
    if (message.type === "op.result") told();
  };
  const { operations, hear } = startMortal(node, { dir, process: thisProcess(), fate: unharmed, heard });
  hear(startOf(id, order, node.clock.now()));
  const problems = () => {
    const found = operations.journals.read(id)?.result;
    if (found?.kind !== "restore-test") return ["the other process' test has no result"];
    const { outcome, reason, leftovers } = found.report;
    const good = outcome === "passed" && leftovers.length === 0;
    return good ? [] : [`the other process' test: ${[outcome, reason, ...leftovers].join("; ")}`];
  };
  return { done: result.then(() => operations.settled()), problems };
}

/** What the lab saw, and forgets again. */
function harm({ lab, sandboxes }: RestoreNode): string[] {
  const seen = [...lab.restores.safety.violations.splice(0), ...lab.misuses];
  return [...seen, ...(sandboxes.open_.size > 0 ? ["a sandbox is open"] : [])];
}

/** A guest that somebody took over stays, with all that is its; nothing else differs. It is gone after this. */
function difference(node: RestoreNode, before: Inventory, stays: boolean): string[] {
  const after = describe({ node });
  const others = (inventory: Inventory) =>
    JSON.stringify(inventory, (_, value: unknown) =>
      Array.isArray(value) ? value.filter((line) => !stays || !ofTests.test(String(line))) : value,
    );
  const problems = others(after) === others(before) ? [] : [`not as before: ${changes(before, after)}`];
  if (!stays) return problems;
  if (!after.guests.some((line) => ofTests.test(line))) return [...problems, "the guest that somebody took over is gone"];
  removeGuest(node);
  return describe({ node }).volumes.length === before.volumes.length
    ? problems
    : [...problems, "its volumes can't be told apart"];
}

/** With the volumes that stay behind where it came from when it is moved. */
function removeGuest({ lab }: RestoreNode): void {
  lab.control.inject({ kind: "restore", fault: "operator", vmid: firstVmid, does: "destroy" });
  const { nodes, volumes } = lab.world;
  for (const node of nodes.keys()) for (const volume of volumes.of(firstVmid, node)) volumes.remove(volume);
}

function changes(before: Inventory, after: Inventory): string {
  const lines = (inventory: Inventory) =>
    Object.entries(inventory).flatMap(([kind, list]) => list.map((line) => `${kind} ${JSON.stringify(line)}`));
  const [was, is] = [new Set(lines(before)), new Set(lines(after))];
  return [
    ...[...is].filter((line) => !was.has(line)).map((line) => `+${line}`),
    ...[...was].filter((line) => !is.has(line)).map((line) => `-${line}`),
  ].join(", ");
}

function judgeResult({ journals }: Operations, dir: string, id: string, died: boolean, stays: boolean): string[] {
  const state = journals.read(id);
  if (state === undefined) return [];
  if (state.result === undefined) return ["it has no result"];
  if (state.result.kind !== "restore-test") return state.intent === undefined ? [] : ["it made a guest and has no report"];
  const { outcome, leftovers } = state.result.report;
  return [
    ...(died && outcome === "passed" ? ["it is called passed"] : []),
    ...(died && state.cancelled && outcome !== "cancelled" ? [`it was cancelled and is called ${outcome}`] : []),
    ...(leftovers.length > 0 && !stays ? [`leftovers: ${leftovers.join("; ")}`] : []),
    ...endedEarly(dir, id),
  ];
}

/** A guest that is kept is there until its time, unless somebody cancels. */
function endedEarly(dir: string, id: string): string[] {
  const entries = parseJournal(readFileSync(join(dir, `${id}.jsonl`), "utf8"));
  const until = entries.flatMap((entry) => (entry.entry === "keep" ? [entry.untilAt] : [])).at(-1);
  const gone = entries.find(({ entry }) => entry === "gone");
  const cancelled = entries.some(({ entry }) => entry === "cancel");
  if (until === undefined || gone === undefined || cancelled || gone.at >= until) return [];
  return [`it was to be kept ${until - gone.at} ms longer`];
}
