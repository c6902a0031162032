import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import type { RestoreTest } from "#protocol/restore.ts";
import { Operations, type OperationType, type Order } from "../../hub/proof/operations.ts";
import { RunBook } from "../../hub/proof/run-book.ts";
import { StateStore } from "../../hub/store/state.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { OperatingAgent } from "./operating-agent.ts";
import { agentOf, cluster, testPicture } from "./test-cluster.ts";

export const restoreTest = (vmid = 100): RestoreTest => ({
  vmid,
  type: "qemu",
  backup: { storage: "pbs", volid: `pbs:backup/vm/${vmid}/2026-01-05T01:00:00Z` },
  checks: [],
  integrity: true,
  screenshot: true,
  benchmark: false,
  timeoutSec: 3600,
  bootSec: 300,
  keepSec: 0,
});

export const orderOf = (now: number, overrides: Partial<Order> = {}): Order => ({
  cluster: cluster as ClusterId,
  guest: { vmid: 100, type: "qemu", name: "web", identity: ["uuid:1"] },
  backupAt: null,
  operation: { kind: "restore-test", params: restoreTest() },
  actor: "root@pam",
  reason: "a look",
  policy: null,
  expiresAt: (now + 3_600_000) as EpochMs,
  nodes: [],
  ...overrides,
});

/** Thrown where the hub dies. */
export class Dead extends Error {}

/**
 * A hub's operations on a real store, with agents that outlive it. `dieAt`: it dies at its so-and-so-many-th write or message, right before or
 * right after it is done.
 */
export class OperationsWorld {
  readonly events: string[] = [];
  readonly problems: string[] = [];
  /** Nodes whose agents speak a version of the link without operations. */
  readonly tooOld = new Set<string>();
  /** What is sent gets lost on the way. */
  losesMessages = false;
  private steps = 0;
  private dead = false;
  dieAt: { step: number; done: boolean } | undefined;
  state: StateStore;
  book!: RunBook;
  operations!: Operations;

  constructor(
    private readonly dir: string,
    readonly clock: FakeClock,
    readonly agents: ReadonlyMap<string, OperatingAgent>,
  ) {
    this.state = this.openState();
    this.boot();
  }

  /** Writes and messages so far. */
  get done(): number {
    return this.steps;
  }

  /** The hub comes up again on its store; its agents connect again. */
  async restart(): Promise<void> {
    await this.state.close();
    this.state = this.openState();
    this.boot();
  }

  connect(node: string): void {
    const agent = this.agents.get(node);
    if (agent === undefined) throw new Error(`no agent on ${node}`);
    const { operations } = this;
    agent.connect((message) => {
      // The agent lives on when its hub dies of what it was told.
      if (this.dead) return;
      try {
        operations.heard(agentOf(node), message);
      } catch (error) {
        if (!(error instanceof Dead)) throw error;
      }
    });
    this.operations.welcomed(agentOf(node));
    agent.repeatResults();
  }

  private isHere(node: string): boolean {
    return this.agents.get(node)?.isConnected ?? false;
  }

  private openState(): StateStore {
    return StateStore.open({ dir: this.dir, now: () => this.clock.now() });
  }

  private boot(): void {
    this.dead = false;
    for (const agent of this.agents.values()) agent.disconnect();
    const { clock } = this;
    this.book = new RunBook(this.mortal(this.state));
    const nodes = Object.fromEntries([...this.agents.keys()].map((node) => [node, node === "pve1" ? [{ vmid: 100 }] : []]));
    const storages = [{ storage: "pbs", type: "pbs", shared: true, content: ["backup"] }];
    this.operations = new Operations({
      book: this.book,
      clock,
      journal: { emit: (type) => this.events.push(type) },
      picture: () => {
        const picture = testPicture({ nodes, storages, name: "lab", at: clock.now() });
        for (const [node, status] of picture.agents) if (!this.isHere(node)) status.state = "away";
        return picture;
      },
      takes: ({ node }) => this.isHere(node) && !this.tooOld.has(node),
      send: ({ node }, type, body) => {
        const agent = this.agents.get(node);
        if (agent?.isConnected !== true) return false;
        if (this.losesMessages) return true;
        this.step(() => agent.hear<OperationType>(type, body));
        return true;
      },
      holders: () => undefined,
      problem: (reason) => this.problems.push(reason),
    });
  }

  private step<T>(work: () => T): T {
    const at = ++this.steps;
    if (this.dieAt?.step === at && !this.dieAt.done) this.dead = true;
    if (this.dead) throw new Dead();
    const result = work();
    if (this.dieAt?.step === at) this.dead = true;
    if (this.dead) throw new Dead();
    return result;
  }

  /** The store, but each transaction is one step. */
  private mortal(state: StateStore): StateStore {
    return new Proxy(state, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        const call = value.bind(target);
        return name === "together" ? (work: () => unknown) => this.step(() => call(work)) : call;
      },
    });
  }
}
