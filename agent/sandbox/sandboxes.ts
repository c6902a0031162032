import { join } from "node:path";
import type { Clock, Log, RunCommand } from "../ports.ts";
import { readIfThere } from "../private-file.ts";
import type { Sandboxes, SandboxHandle, SandboxTaken } from "../restore/ports.ts";
import { type Commands, createCommands, SandboxProblem } from "./commands.ts";
import { insideDevice, isSandboxName, layoutOf, partedTable, type SandboxLayout } from "./layout.ts";
import { isSandboxAddress, neighbourOf, parseHeard, parseLeases, type Sighting, sightOf } from "./listener.ts";
import { build, conditionOf, demolish, markedSandboxes, rebuildInside } from "./network.ts";
import { readRecord, recordedSandboxes, removeRecord, writeRecord } from "./record.ts";
import { partedRules, sandboxRules } from "./rules.ts";

export type SandboxDeps = { run: RunCommand; clock: Clock; log: Log; stateDir: string };

const lookEveryMs = 250;
const knockEveryMs = 3000;

/**
 * Networks for test guests: a bridge with no way out and none to this host, and a namespace at it that gives out addresses and from which checks
 * are made. Needs root. One change at a time. `reap` takes operations and names of sandboxes alike.
 */
export function createSandboxes(deps: SandboxDeps): Sandboxes {
  return new NodeSandboxes(deps);
}

class NodeSandboxes implements Sandboxes {
  private readonly commands: Commands;
  private readonly folder: string;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: SandboxDeps) {
    this.commands = createCommands(deps.run);
    this.folder = join(deps.stateDir, "sandboxes");
  }

  async missing(): Promise<string | undefined> {
    try {
      for (const program of ["nft", "dnsmasq"]) await this.commands.must(program, ["--version"]);
      return undefined;
    } catch (error) {
      if (!(error instanceof SandboxProblem)) throw error;
      return error.message;
    }
  }

  open(name: string, operation: string): ReturnType<Sandboxes["open"]> {
    if (!isSandboxName(name)) return Promise.resolve({ ok: false, problem: `"${name}" can't name a sandbox` });
    return this.alone(async () => {
      const layout = layoutOf(this.folder, name);
      const sandbox: SandboxHandle = { name, bridge: layout.bridge, netns: layout.netns };
      try {
        const how = await this.take(layout, operation);
        return { ok: true, sandbox, how } as const;
      } catch (error) {
        if (!(error instanceof SandboxProblem)) throw error;
        const left = await this.leave(layout, operation);
        return { ok: false, problem: `sandbox ${name}: ${[error.message, ...left].join("; ")}` } as const;
      }
    });
  }

  close(name: string, operation: string): Promise<string | undefined> {
    return this.alone(async () => {
      const left = await this.leave(layoutOf(this.folder, name), operation);
      return left.length === 0 ? undefined : left.join("; ");
    });
  }

  part(sandbox: SandboxHandle, operation: string, devices: readonly string[]): Promise<string | undefined> {
    return this.alone(async () => {
      const layout = layoutOf(this.folder, sandbox.name);
      try {
        await this.commands.must("nft", ["-f", "-"], partedRules(partedTable(layout, operation), layout.port, devices));
        return undefined;
      } catch (error) {
        if (!(error instanceof SandboxProblem)) throw error;
        return error.message;
      }
    });
  }

  async addressOf(
    sandbox: SandboxHandle,
    macs: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
    own: readonly string[] = [],
  ): Promise<string | undefined> {
    const { clock } = this.deps;
    const layout = layoutOf(this.folder, sandbox.name);
    const untilMs = clock.monotonicMs() + timeoutMs;
    for (let knockAtMs = clock.monotonicMs(); ; ) {
      const seen = this.look(layout, macs);
      const late = signal.aborted || clock.monotonicMs() >= untilMs;
      if (seen?.how === "lease") return seen.address;
      if (seen?.how === "static") return (await this.reach(layout, seen, own)) ? seen.address : undefined;
      // An IPv4 address is what its services listen on, mostly: this one is taken only when no other came.
      if (late) return seen === undefined || signal.aborted ? undefined : `${seen.address}%${insideDevice}`;
      if (clock.monotonicMs() >= knockAtMs) {
        for (const address of own) await this.knock(layout, address, own);
        knockAtMs = clock.monotonicMs() + knockEveryMs;
      }
      await clock.sleep(Math.min(lookEveryMs, untilMs - clock.monotonicMs()), signal);
    }
  }

  /** Its answer to ARP is what the listener hears, whether it answers a ping or not. */
  private async knock(layout: SandboxLayout, address: string, own: readonly string[]): Promise<void> {
    if (!(await this.reach(layout, { address, how: "static" }, own))) return;
    await this.commands.try("ip", ["netns", "exec", layout.netns, "ping", "-n", "-c", "1", "-W", "1", address]);
  }

  reap(inUse: ReadonlySet<string>): Promise<string[]> {
    return this.alone(async () => {
      const left: string[] = [];
      const recorded = recordedSandboxes(this.folder);
      for (const layout of recorded) {
        const holders = readRecord(layout)?.holders ?? [];
        const staying = inUse.has(layout.name) ? holders : holders.filter((holder) => inUse.has(holder));
        if (staying.length > 0 || inUse.has(layout.name)) {
          await this.joinCards(layout, staying);
          writeRecord(layout, { holders: staying });
        } else left.push(...(await this.remove(layout)));
      }
      const known = new Set(recorded.map(({ name }) => name));
      for (const name of await markedSandboxes(this.commands, this.folder)) {
        if (!known.has(name) && !inUse.has(name)) left.push(...(await this.remove(layoutOf(this.folder, name))));
      }
      return left;
    });
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work);
    this.last = mine.catch(() => undefined);
    return mine;
  }

  private async take(layout: SandboxLayout, operation: string): Promise<SandboxTaken> {
    const holders = readRecord(layout)?.holders ?? [];
    // What nobody holds is a dead one's.
    const condition = holders.length === 0 ? "gone" : await conditionOf(this.commands, layout);
    if (condition === "gone") {
      await this.make(layout, holders, operation);
      return "made";
    }
    writeRecord(layout, { holders: [...new Set([...holders, operation])] });
    await this.applyRules(layout);
    if (condition === "whole") return "joined";
    await rebuildInside(this.commands, layout, this.deps.clock);
    this.deps.log(5, "sandbox rebuilt, its bridge was there", { sandbox: layout.name, bridge: layout.bridge });
    return "rebuilt";
  }

  /** From nothing, whatever a dead agent left of it. The record comes first, the rules before the bridge they are about. */
  private async make(layout: SandboxLayout, holders: readonly string[], operation: string): Promise<void> {
    const begun = readRecord(layout) !== undefined;
    const strangers = await demolish(this.commands, layout, begun, this.deps.clock);
    if (strangers.length > 0) throw new SandboxProblem(strangers.join("; "));
    removeRecord(layout);
    writeRecord(layout, { holders: [...new Set([...holders, operation])] });
    await this.applyRules(layout);
    await build(this.commands, layout);
    this.deps.log(6, "sandbox made", { sandbox: layout.name, bridge: layout.bridge });
  }

  private async leave(layout: SandboxLayout, operation: string): Promise<string[]> {
    const record = readRecord(layout);
    if (record === undefined) return [];
    const holders = record.holders.filter((holder) => holder !== operation);
    if (holders.length === 0) return this.remove(layout);
    await this.joinCards(layout, holders);
    writeRecord(layout, { holders });
    return [];
  }

  /** The record stays while something is left, so that the next reaping tries again. */
  private async remove(layout: SandboxLayout): Promise<string[]> {
    const begun = readRecord(layout) !== undefined;
    if (begun) writeRecord(layout, { holders: [] });
    const left = await demolish(this.commands, layout, begun, this.deps.clock);
    if (left.length === 0) left.push(...(await this.dropRules(layout)));
    if (left.length === 0) {
      removeRecord(layout);
      this.deps.log(6, "sandbox removed", { sandbox: layout.name });
    }
    return left;
  }

  private async applyRules(layout: SandboxLayout): Promise<void> {
    await this.commands.must("nft", ["-f", "-"], sandboxRules(layout));
  }

  /** Once no bridge is left that they are about. Without nft there never were any. */
  private async dropRules(layout: SandboxLayout): Promise<string[]> {
    const { table } = layout;
    await this.joinCards(layout, []);
    if ((await this.commands.try("nft", ["list", "table", "inet", table])) === undefined) return [];
    const dropped = await this.commands.try("nft", ["delete", "table", "inet", table]);
    return dropped === undefined ? [`the rules of ${table} could not be removed`] : [];
  }

  /** Ends the rules about cards of all but these operations: their guests are gone, and another may get a device of that name. */
  private async joinCards(layout: SandboxLayout, operations: readonly string[]): Promise<void> {
    const staying = new Set(operations.map((operation) => partedTable(layout, operation)));
    const tables = ((await this.commands.try("nft", ["list", "tables", "bridge"])) ?? "").split(/\s+/);
    for (const table of tables)
      if (table.startsWith(`${layout.table}_`) && !staying.has(table))
        await this.commands.try("nft", ["delete", "table", "bridge", table]);
  }

  private look(layout: SandboxLayout, macs: readonly string[]): Sighting | undefined {
    const [leases, heard] = [layout.leases, layout.heard].map((path) => readIfThere(path) ?? "") as [string, string];
    return sightOf(macs, parseLeases(leases), parseHeard(heard));
  }

  /** `own`: addresses that the guest may have besides, heard or not. */
  private async reach({ netns, heard }: SandboxLayout, { address }: Sighting, own: readonly string[]): Promise<boolean> {
    const taken = new Set([...own, ...parseHeard(readIfThere(heard) ?? "").map((each) => each.address)]);
    const from = neighbourOf(address, taken);
    if (from === undefined || isSandboxAddress(address)) return false;
    const inside = ["-n", netns];
    const added = await this.commands.try("ip", [...inside, "address", "replace", `${from}/32`, "dev", insideDevice]);
    const routed = await this.commands.try("ip", [
      ...inside,
      "route",
      "replace",
      `${address}/32`,
      "dev",
      insideDevice,
      "src",
      from,
    ]);
    return added !== undefined && routed !== undefined;
  }
}
