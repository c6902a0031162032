import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RestoreTest } from "#protocol/restore.ts";
import type { PveApi } from "../../agent/pve/api.ts";
import { Operations } from "../../agent/restore/operations.ts";
import type { RestorePorts } from "../../agent/restore/ports.ts";
import { newId, type RestoreNode } from "./restore-node.ts";

/**
 * How an agent dies at a journal entry or a call: `before` it was made, `torn` with half of the entry on the disk (a call: sent, its answer never
 * read), `after` it was on the disk (a call: answered, and nothing done with the answer).
 */
export const deaths = ["before", "torn", "after"] as const;
export type Death = (typeof deaths)[number];

/** What every process does from its death on: nothing. */
const never = () => new Promise<never>(() => undefined);

class Killed extends Error {}

/** Counts journal entries and changing calls of one agent, and ends it at the n-th. */
class Executioner {
  events: string[] = [];
  isDead = false;
  onDeath: () => void = () => undefined;

  constructor(
    private readonly at: number,
    private readonly death: Death,
  ) {}

  die(): void {
    this.isDead = true;
    this.onDeath();
  }

  /** Undefined: this one passes. */
  due(event: string): Death | undefined {
    this.events.push(event);
    return this.events.length === this.at ? this.death : undefined;
  }

  async call<T>(event: string, changes: boolean, work: () => Promise<T>): Promise<T> {
    if (this.isDead) return never();
    const death = changes ? this.due(event) : undefined;
    if (death === "before") {
      this.die();
      return never();
    }
    if (death === "torn") {
      void work();
      this.die();
      return never();
    }
    const result = await work();
    if (this.isDead) return never();
    if (death === undefined) return result;
    this.die();
    return never();
  }
}

function killablePorts(ports: RestorePorts, executioner: Executioner): RestorePorts {
  const { api, sandboxes } = ports;
  const reading =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    (...args: A) =>
      executioner.call("", false, () => work(...args));
  const changing =
    <A extends unknown[], T>(event: string, work: (...args: A) => Promise<T>) =>
    (...args: A) =>
      executioner.call(`${event} ${String(args[0])}`, true, () => work(...args));
  const killable: PveApi = {
    get: reading(api.get),
    post: changing("POST", api.post),
    put: changing("PUT", api.put),
    delete: changing("DELETE", api.delete),
    awaitTask: reading(api.awaitTask),
    close: () => undefined,
  };
  return {
    ...ports,
    api: killable,
    run: changing("run", ports.run),
    check: reading(ports.check),
    integrity: reading(ports.integrity),
    sandboxes: {
      open: changing("sandbox", sandboxes.open.bind(sandboxes)),
      close: changing("sandbox", sandboxes.close.bind(sandboxes)),
      addressOf: reading(sandboxes.addressOf.bind(sandboxes)),
      reap: reading(sandboxes.reap.bind(sandboxes)),
    },
  };
}

/** Cuts the last entry of a journal in half. */
function tear(path: string, from: number): void {
  const file = openSync(path, "r+");
  ftruncateSync(file, from + Math.floor((statSync(path).size - from) / 2));
  closeSync(file);
}

/** An agent on that node that dies at its n-th journal entry or changing call; 0: never. */
export function startMortal(node: RestoreNode, dir: string, process: string, at: number, death: Death) {
  const executioner = new Executioner(at, death);
  let told: () => void = () => undefined;
  const dead = new Promise<void>((resolve) => {
    executioner.onDeath = resolve;
  });
  const over = new Promise<void>((resolve) => {
    told = resolve;
  });
  const operations = new Operations({
    restore: killablePorts({ ...node.ports, log: () => undefined }, executioner),
    dir,
    send: (message) => {
      if (message.type === "op.result") told();
    },
    onProblems: () => undefined,
    process,
  });
  const { journals } = operations;
  const open = journals.open.bind(journals);
  journals.open = (id) => {
    const journal = open(id);
    const append = journal.append.bind(journal);
    journal.append = (entry) => {
      if (executioner.isDead) throw new Killed("dead");
      const due = executioner.due(`entry ${entry.entry}`);
      const path = join(dir, `${id}.jsonl`);
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (due !== "before") append(entry);
      if (due === "torn") tear(path, size);
      if (due === undefined) return;
      executioner.die();
      throw new Killed("dead");
    };
    return journal;
  };
  return { operations, executioner, dead, over };
}

export type KillResult = { died: boolean; event: string; problems: string[] };

/**
 * Runs one test whose agent dies at its n-th step, and a second agent that finds what it left. What is wrong afterwards is a problem: a guest, volume or
 * file more or less than before, harm that the lab saw, a result that calls it passed.
 */
export async function killOnce(node: RestoreNode, order: RestoreTest, at: number, death: Death, again = 0): Promise<KillResult> {
  const dir = mkdtempSync(join(tmpdir(), "proven-killed-"));
  const { safety } = node.lab.restores;
  const before = JSON.stringify(node.lab.restores.inventory());
  const id = newId();
  const operation = { kind: "restore-test", params: order };
  const body = { id, operation, expiresAt: node.clock.now() + 3_600_000, actor: "root@pam", reason: "brute force" };
  try {
    const first = startMortal(node, dir, "1:1:boot", at, death);
    try {
      first.operations.hear({ type: "op.start", body });
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    await node.drive(Promise.race([first.dead, first.over]));
    const died = first.executioner.isDead;
    const event = first.executioner.events.at(-1) ?? "";
    const wasDone = first.operations.journals.read(id)?.result !== undefined;
    if (again > 0) {
      const second = startMortal(node, dir, "2:2:boot", again, death);
      const tended = second.operations.tend().then(() => second.operations.settled());
      await node.drive(Promise.race([second.dead, tended.catch(() => undefined)]));
      second.executioner.die();
    }
    const last = startMortal(node, dir, "3:3:boot", 0, "before");
    await node.drive(last.operations.tend().then(() => last.operations.settled()));
    const state = last.operations.journals.read(id);
    const problems = [...safety.violations.splice(0), ...node.lab.misuses];
    const after = JSON.stringify(node.lab.restores.inventory());
    if (after !== before) problems.push(`not as before: ${after}`);
    if (state !== undefined && state.result === undefined) problems.push("it has no result");
    const report = state?.result?.kind === "restore-test" ? state.result.report : undefined;
    if (died && !wasDone && report?.outcome === "passed") problems.push("it is called passed");
    if ((report?.leftovers.length ?? 0) > 0) problems.push(`leftovers: ${report?.leftovers.join("; ")}`);
    if (node.sandboxes.open_.size > 0) problems.push("a sandbox is open");
    return { died, event, problems };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
