import { closeSync, ftruncateSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Message } from "#protocol/messages.ts";
import type { PveApi } from "../../agent/pve/api.ts";
import { Operations } from "../../agent/restore/operations.ts";
import type { RestorePorts } from "../../agent/restore/ports.ts";
import type { RestoreNode } from "./restore-node.ts";

/**
 * How an agent dies at a journal entry or a call: `before` it was made, `torn` with half of the entry on the disk (a call: sent, its answer never
 * read), `after` it was on the disk (a call: answered, and nothing done with the answer).
 */
export const deaths = ["before", "torn", "after"] as const;
export type Death = (typeof deaths)[number];

/** At its `at`-th event; 0: it lives on. */
export type Fate = { at: number; death: Death };
export const unharmed: Fate = { at: 0, death: "before" };

/** A journal entry, or a call; `changes`: the entry, or a call that is more than a question. */
export type AgentEvent = { name: string; changes: boolean };

/** What every process does from its death on: nothing. */
const never = () => new Promise<never>(() => undefined);

class Killed extends Error {}

/** Counts journal entries and calls of one agent, and ends it at the one that its fate says. */
class Executioner {
  readonly events: AgentEvent[] = [];
  isDead = false;
  onDeath: () => void = () => undefined;

  constructor(private readonly fate: Fate) {}

  die(): void {
    this.isDead = true;
    this.onDeath();
  }

  /** Undefined: this one passes. */
  due(event: AgentEvent): Death | undefined {
    this.events.push(event);
    return this.events.length === this.fate.at ? this.fate.death : undefined;
  }

  async call<T>(event: AgentEvent, work: () => Promise<T>): Promise<T> {
    if (this.isDead) return never();
    const death = this.due(event);
    if (death === "before" || death === "torn") {
      if (death === "torn") void work().catch(() => undefined);
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
  const killable =
    (changes: boolean) =>
    <A extends unknown[], T>(name: string, work: (...args: A) => Promise<T>) =>
    (...args: A) =>
      executioner.call({ name: `${name} ${String(args[0])}`, changes }, () => work(...args));
  const [reading, changing] = [killable(false), killable(true)];
  const killableApi: PveApi = {
    get: reading("GET", api.get),
    post: changing("POST", api.post),
    put: changing("PUT", api.put),
    delete: changing("DELETE", api.delete),
    awaitTask: reading("await", api.awaitTask),
    close: () => undefined,
  };
  return {
    ...ports,
    log: () => undefined,
    api: killableApi,
    run: changing("run", ports.run),
    check: reading("check", ports.check),
    integrity: reading("integrity", ports.integrity),
    sandboxes: {
      missing: reading("sandbox", sandboxes.missing.bind(sandboxes)),
      open: changing("sandbox", sandboxes.open.bind(sandboxes)),
      close: changing("sandbox", sandboxes.close.bind(sandboxes)),
      part: changing("part", sandboxes.part.bind(sandboxes)),
      addressOf: reading("address", sandboxes.addressOf.bind(sandboxes)),
      reap: changing("reap", sandboxes.reap.bind(sandboxes)),
    },
  };
}

/** Cuts the last entry of a journal in half. */
function tear(path: string, from: number): void {
  const file = openSync(path, "r+");
  ftruncateSync(file, from + Math.floor((statSync(path).size - from) / 2));
  closeSync(file);
}

/** Journals below that folder whose appending may be the last thing that the agent does. */
function killJournals({ journals }: Operations, dir: string, executioner: Executioner): void {
  const open = journals.open.bind(journals);
  journals.open = (id) => {
    const journal = open(id);
    const append = journal.append.bind(journal);
    journal.append = (entry) => {
      if (executioner.isDead) throw new Killed("dead");
      const due = executioner.due({ name: `entry ${entry.entry}`, changes: true });
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
}

export type MortalAgent = ReturnType<typeof startMortal>;

/** An agent on that node that has this fate. `heard`: what it says, while it lives. */
export function startMortal(
  node: RestoreNode,
  { dir, process, fate, heard }: { dir: string; process: string; fate: Fate; heard?: (message: Message) => void },
) {
  const executioner = new Executioner(fate);
  const dead = new Promise<void>((resolve) => {
    executioner.onDeath = resolve;
  });
  const operations = new Operations({
    restore: killablePorts(node.ports, executioner),
    dir,
    send: (message) => {
      if (!executioner.isDead) heard?.(message);
    },
    onProblems: () => undefined,
    process,
  });
  killJournals(operations, dir, executioner);
  /** Whoever tells it something while it dies hears nothing of that. */
  const hear = (message: Message) => {
    try {
      if (!executioner.isDead) operations.hear(message);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  };
  /** Resolves at its death too: it does nothing any more. */
  const unlessDead = (work: Promise<unknown>) =>
    Promise.race([
      dead,
      work.then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof Killed)) throw error;
        },
      ),
    ]);
  return {
    operations,
    hear,
    unlessDead,
    events: executioner.events,
    isDead: () => executioner.isDead,
    end: () => executioner.die(),
  };
}
