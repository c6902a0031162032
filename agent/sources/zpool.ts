import { existsSync, readdirSync } from "node:fs";
import type { EntityKey, NodeName } from "#protocol/ids.ts";
import { parseEntityKey, zpoolKey } from "#protocol/ids.ts";
import type { UnreadList } from "#protocol/inventory.ts";
import { zpoolHealthCodes, zpoolScanCodes } from "#protocol/metrics.ts";
import type { SampleTable } from "../core/table.ts";
import type { RunCommand } from "../ports.ts";
import { below, type NowReader } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import { counted, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";
import * as output from "./zpool-output.ts";

const ids = idsOf("zpool");
const source = "zpool";
const kstats = "/proc/spl/kstat/zfs";

/**
 * Two commands every quarter of an hour. In between the kernel's own files are looked at in every tick: a pool that changes its state, comes or
 * goes is asked for at once, and how full it is pvestatd says anyway. Without those files it is asked for every five minutes.
 */
const quietEveryMs = 15 * minuteMs;
const blindEveryMs = 5 * minuteMs;

type PoolState = output.Zpool & { status: output.ZpoolStatus | undefined };

/** The node's ZFS pools. */
export class ZpoolSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 2 * quietEveryMs + minuteMs;
  readonly patienceMs = minuteMs;
  problem: string | undefined;
  brought = false;
  pools: readonly PoolState[] = [];
  /** States by pool as the kernel shows them now; undefined: it does not. */
  private states: ReadonlyMap<string, string> | undefined;
  private asked = "";
  private readonly told = new Told<string[]>([]);
  /** As the kernel shows them, until zpool has answered once: one that hangs with a pool must not hide it. */
  private readonly shown = new Told<string[]>([]);
  private readonly keys = new Map<string, EntityKey>();
  private json = true;

  constructor(
    private readonly root: string,
    private readonly run: RunCommand,
    private readonly files: NowReader,
  ) {}

  get version(): number {
    return this.told.version + this.shown.version;
  }

  get unread(): UnreadList | undefined {
    return this.told.known ? undefined : "zpools";
  }

  get names(): string[] {
    return this.told.known ? this.told.value : this.shown.value;
  }

  everyMs(): number | undefined {
    this.states = this.readStates();
    if (this.states === undefined) return existsSync(below(this.root, "/sys/module/zfs")) ? blindEveryMs : undefined;
    if (!this.told.known) this.shown.set([...this.states.keys()].slice(0, 256));
    if (this.states.size === 0 && this.pools.length === 0) return undefined;
    if (this.mark() !== this.asked) return 0;
    return [...this.states.values()].includes("") ? blindEveryMs : quietEveryMs;
  }

  found(): string {
    return counted(this.pools.length, "pool");
  }

  /** Runs zpool twice. On a problem the pools stay as they were. */
  async refresh(): Promise<void> {
    this.problem = undefined;
    this.asked = this.mark();
    const pools = await this.list();
    this.brought = pools !== undefined;
    if (pools === undefined) return;
    const status = pools.length === 0 ? new Map<string, output.ZpoolStatus>() : await this.status();
    this.pools = pools.map((pool) => ({ ...pool, status: status?.get(pool.pool) }));
    this.told.set(pools.map(({ pool }) => pool).slice(0, 256));
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">, now: number): void {
    for (const pool of this.pools) {
      const key = this.keyOf(node, pool.pool);
      if (key === undefined) continue;
      const entity = table.entity(key);
      table.put(entity, ids.size, source, pool.size);
      table.put(entity, ids.allocated, source, pool.allocated);
      table.put(entity, ids.free, source, pool.free);
      table.put(entity, ids.fragmentation, source, pool.fragmentation);
      if (!this.states?.get(pool.pool)) putCode(table, entity, ids.health, zpoolHealthCodes, pool.health);
      if (pool.status !== undefined) putStatus(table, entity, pool.status, now);
    }
  }

  /** The kernel's own word, also while zpool hangs with the pool. */
  putSeen(table: SampleTable, { node }: Pick<NodeSight, "node">): void {
    for (const [pool, state] of this.states ?? []) {
      const key = this.keyOf(node, pool);
      if (key !== undefined) putCode(table, table.entity(key), ids.health, zpoolHealthCodes, state);
    }
  }

  private mark(): string {
    return JSON.stringify([...(this.states ?? [])]);
  }

  /** `<pool>/state` is `spa_state_to_name` of OpenZFS: what `zpool list` calls health. An empty one could not be read. */
  private readStates(): ReadonlyMap<string, string> | undefined {
    try {
      const entries = readdirSync(below(this.root, kstats), { withFileTypes: true });
      const pools = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
      return new Map(pools.sort().map((pool) => [pool, this.files.tryRead(`${kstats}/${pool}/state`)?.trim() ?? ""]));
    } catch {
      return undefined;
    }
  }

  private keyOf(node: NodeName, pool: string): EntityKey | undefined {
    const known = this.keys.get(pool);
    if (known !== undefined) return known;
    const key = parseEntityKey(zpoolKey(node, pool));
    if (key !== undefined) this.keys.set(pool, key);
    return key;
  }

  private async list(): Promise<output.Zpool[] | undefined> {
    if (this.json) {
      const text = await this.zpool(["list", "-j", "--json-int"]);
      const pools = text === undefined ? undefined : output.parseZpoolListJson(text);
      if (pools !== undefined || this.problem !== undefined) return pools;
      this.json = false;
    }
    const text = await this.zpool(["list", "-Hp", "-o", output.zpoolListColumns]);
    return text === undefined ? undefined : output.parseZpoolListTabs(text);
  }

  private async status(): Promise<Map<string, output.ZpoolStatus> | undefined> {
    const text = await this.zpool(this.json ? ["status", "-j", "--json-int"] : ["status", "-p"]);
    if (text === undefined) return undefined;
    return this.json ? output.parseZpoolStatusJson(text) : output.parseZpoolStatusText(text);
  }

  /** Output of a run that worked. Undefined without a problem: this zpool does not know `-j`. */
  private async zpool(args: readonly string[]): Promise<string | undefined> {
    const result = await this.run("zpool", args, { timeoutMs: 30_000, maxBytes: 4 << 20 });
    if (!result.ok) this.problem = result.problem;
    else if (result.code === 0) return result.stdout;
    else if (!/invalid option|unrecognized option/.test(result.stderr) || !this.json) {
      this.problem = `zpool ${args[0]} ended with ${result.code}: ${result.stderr.trim().slice(0, 200)}`;
    }
    return undefined;
  }
}

function putStatus(table: SampleTable, entity: number, status: output.ZpoolStatus, now: number): void {
  table.put(entity, ids.read_errors, source, status.read);
  table.put(entity, ids.write_errors, source, status.write);
  table.put(entity, ids.checksum_errors, source, status.checksum);
  table.put(entity, ids.vdev_errors, source, status.read + status.write + status.checksum);
  table.put(entity, ids.data_errors, source, status.dataErrors);
  const { scan } = status;
  if (scan === undefined) return;
  putCode(table, entity, ids.scan_state, zpoolScanCodes, scan.state);
  table.put(entity, ids.scrub_errors, source, scan.errors);
  const scrubbed = scan.what === "scrub" && scan.state === "finished";
  if (scrubbed) table.put(entity, ids.scrub_age, source, Math.max(0, now / 1000 - scan.endedSec));
}

function putCode(table: SampleTable, entity: number, metric: number, codes: readonly string[], word: string): void {
  const code = codes.indexOf(word);
  if (code >= 0) table.put(entity, metric, source, code);
}
