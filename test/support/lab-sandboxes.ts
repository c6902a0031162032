import type { Sandboxes, SandboxHandle } from "../../agent/restore/ports.ts";
import type { Lab } from "../lab/lab.ts";

/** What a check in the sandbox asks: who answers on a port of the guest's address. Undefined: nobody. */
export type Reach = (
  sandbox: SandboxHandle,
  address: string,
  port: number,
) => { kind: string; status?: number; text?: string } | undefined;

/**
 * Sandboxes without any real network: the bridge is one that the lab holds for isolated, the address the one that the lab's guest has on it.
 * `stillOpen` lists those that nobody has closed.
 */
export class LabSandboxes implements Sandboxes {
  private readonly users = new Map<string, Set<string>>();
  /** Set: the next `open` fails with it. */
  problem: string | undefined;
  /** Set: `close` leaves this behind. */
  leftover: string | undefined;

  constructor(private readonly lab: Lab) {}

  get stillOpen(): string[] {
    return [...this.users.keys()];
  }

  private handle(name: string): SandboxHandle {
    return { name, bridge: `pvs${name}`, netns: `proven-${name}` };
  }

  async open(name: string, operation: string): ReturnType<Sandboxes["open"]> {
    const { problem } = this;
    if (problem !== undefined) return { ok: false, problem };
    const users = this.users.get(name) ?? new Set<string>();
    this.users.set(name, users.add(operation));
    this.lab.restores.addIsolatedBridge(this.handle(name).bridge);
    return { ok: true, sandbox: this.handle(name) };
  }

  async close(name: string, operation: string): Promise<string | undefined> {
    const users = this.users.get(name);
    users?.delete(operation);
    if (users === undefined || users.size > 0) return undefined;
    this.users.delete(name);
    this.lab.restores.removeIsolatedBridge(this.handle(name).bridge);
    return this.leftover;
  }

  /** Looks each second of the lab's time. */
  async addressOf(
    { bridge }: SandboxHandle,
    macs: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { clock, restores } = this.lab;
    for (let waited = 0; ; waited += 1000) {
      const address = restores.runtime.addressOf(bridge, macs, clock.now());
      if (address !== undefined || waited >= timeoutMs || signal.aborted) return address;
      await clock.sleep(1000, signal);
    }
  }

  async reap(inUse: ReadonlySet<string>): Promise<string[]> {
    for (const name of [...this.users.keys()]) {
      if (inUse.has(name)) continue;
      this.users.delete(name);
      this.lab.restores.removeIsolatedBridge(this.handle(name).bridge);
    }
    return [];
  }

  readonly reach: Reach = ({ bridge }, address, port) =>
    this.lab.restores.runtime.connect(bridge, address, port, this.lab.clock.now());
}
