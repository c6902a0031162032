import { existsSync } from "node:fs";
import { join } from "node:path";
import type { EntityKey, NodeName } from "#protocol/ids.ts";
import { parseEntityKey, zpoolKey } from "#protocol/ids.ts";
import { zpoolHealthCodes } from "#protocol/metrics.ts";
import type { SampleTable } from "../core/table.ts";
import { asNumber, asObject, asText, parseJsonObject } from "../core/values.ts";
import type { RunCommand } from "../ports.ts";
import { idsOf } from "./metric-ids.ts";

const ids = idsOf("zpool");
const source = "zpool";

/** Bytes; `fragmentation` 0 … 1. NaN where zpool says `-`. */
export type Zpool = { pool: string; size: number; allocated: number; free: number; fragmentation: number; health: string };
export type ZpoolErrors = { read: number; write: number; checksum: number };

/** `zpool list -j --json-int` of OpenZFS ≥ 2.3; after its manual page and source, never seen from a real system. */
export function parseZpoolListJson(text: string): Zpool[] | undefined {
  const pools = asObject(parseJsonObject(text)?.pools);
  if (pools === undefined) return undefined;
  return Object.entries(pools).flatMap(([pool, value]) => {
    const entry = asObject(value);
    if (entry === undefined) return [];
    const properties = asObject(entry.properties);
    const of = (name: string) => asObject(properties?.[name])?.value;
    return [
      {
        pool,
        size: asNumber(of("size")),
        allocated: asNumber(of("allocated")),
        free: asNumber(of("free")),
        fragmentation: asNumber(of("fragmentation")) / 100,
        health: asText(of("health")) ?? asText(entry.state) ?? "",
      },
    ];
  });
}

/** Columns of `zpool list -Hp -o …`, tab-separated. */
export const zpoolListColumns = "name,size,allocated,free,fragmentation,health";

export function parseZpoolListTabs(text: string): Zpool[] {
  return text.split("\n").flatMap((line) => {
    const [pool, size, allocated, free, fragmentation, health] = line.split("\t");
    if (pool === undefined || pool === "" || health === undefined) return [];
    return [
      {
        pool,
        size: asNumber(size),
        allocated: asNumber(allocated),
        free: asNumber(free),
        fragmentation: asNumber(fragmentation) / 100,
        health: health.trim(),
      },
    ];
  });
}

/** `zpool status -j --json-int`: reads and writes of the root vdev, checksum errors of all below it. Never seen from a real system either. */
export function parseZpoolStatusJson(text: string): Map<string, ZpoolErrors> | undefined {
  const pools = asObject(parseJsonObject(text)?.pools);
  if (pools === undefined) return undefined;
  const errors = new Map<string, ZpoolErrors>();
  for (const [pool, value] of Object.entries(pools)) {
    const root = asObject(Object.values(asObject(asObject(value)?.vdevs) ?? {})[0]);
    if (root === undefined) continue;
    errors.set(pool, {
      read: asNumber(root.read_errors),
      write: asNumber(root.write_errors),
      checksum: sumChecksums(root.vdevs, 0),
    });
  }
  return errors;
}

function sumChecksums(vdevs: unknown, depth: number): number {
  if (depth > 8) return 0;
  return Object.values(asObject(vdevs) ?? {}).reduce<number>((sum, value) => {
    const vdev = asObject(value);
    const own = asNumber(vdev?.checksum_errors);
    return sum + (Number.isFinite(own) ? own : 0) + sumChecksums(vdev?.vdevs, depth + 1);
  }, 0);
}

/** The table `NAME STATE READ WRITE CKSUM` of `zpool status -p`, one for each `pool:`. */
export function parseZpoolStatusText(text: string): Map<string, ZpoolErrors> {
  const errors = new Map<string, ZpoolErrors>();
  let pool: string | undefined;
  for (const line of text.split("\n")) {
    const head = /^\s*pool:\s*(\S.*?)\s*$/.exec(line);
    if (head !== null) pool = head[1];
    const row = /^\t(\s*)(\S+)\s+[A-Z]+\s+(\d+)\s+(\d+)\s+(\d+)/.exec(line);
    if (row === null || pool === undefined) continue;
    const known = errors.get(pool);
    if (known !== undefined) known.checksum += Number(row[5]);
    else if (row[2] === pool) errors.set(pool, { read: Number(row[3]), write: Number(row[4]), checksum: 0 });
  }
  return errors;
}

type PoolState = Zpool & { errors: ZpoolErrors | undefined };

/** The node's ZFS pools. Slow: zpool is a command and waits for a pool that hangs, so it runs beside the samples and lends them what it knew last. */
export class ZpoolSource {
  problem: string | undefined;
  pools: readonly PoolState[] = [];
  private readonly keys = new Map<string, EntityKey>();
  private json = true;

  constructor(
    private readonly root: string,
    private readonly run: RunCommand,
  ) {}

  /** False: no ZFS here, nothing is run. */
  present(): boolean {
    return existsSync(join(this.root, "/proc/spl/kstat/zfs")) || existsSync(join(this.root, "/sys/module/zfs"));
  }

  /** Runs zpool twice. On a problem the pools stay as they were. */
  async refresh(): Promise<void> {
    this.problem = undefined;
    const pools = await this.list();
    if (pools === undefined) return;
    const errors = pools.length === 0 ? new Map<string, ZpoolErrors>() : await this.status();
    this.pools = pools.map((pool) => ({ ...pool, errors: errors?.get(pool.pool) }));
  }

  put(table: SampleTable, node: NodeName): void {
    for (const pool of this.pools) {
      const key = this.keyOf(node, pool.pool);
      if (key === undefined) continue;
      const entity = table.entity(key);
      table.put(entity, ids.size, source, pool.size);
      table.put(entity, ids.allocated, source, pool.allocated);
      table.put(entity, ids.free, source, pool.free);
      table.put(entity, ids.fragmentation, source, pool.fragmentation);
      const health = (zpoolHealthCodes as readonly string[]).indexOf(pool.health);
      if (health >= 0) table.put(entity, ids.health, source, health);
      if (pool.errors === undefined) continue;
      table.put(entity, ids.read_errors, source, pool.errors.read);
      table.put(entity, ids.write_errors, source, pool.errors.write);
      table.put(entity, ids.checksum_errors, source, pool.errors.checksum);
    }
  }

  private keyOf(node: NodeName, pool: string): EntityKey | undefined {
    const known = this.keys.get(pool);
    if (known !== undefined) return known;
    const key = parseEntityKey(zpoolKey(node, pool));
    if (key !== undefined) this.keys.set(pool, key);
    return key;
  }

  private async list(): Promise<Zpool[] | undefined> {
    if (this.json) {
      const text = await this.zpool(["list", "-j", "--json-int"]);
      const pools = text === undefined ? undefined : parseZpoolListJson(text);
      if (pools !== undefined || this.problem !== undefined) return pools;
      this.json = false;
    }
    const text = await this.zpool(["list", "-Hp", "-o", zpoolListColumns]);
    return text === undefined ? undefined : parseZpoolListTabs(text);
  }

  private async status(): Promise<Map<string, ZpoolErrors> | undefined> {
    const text = await this.zpool(this.json ? ["status", "-j", "--json-int"] : ["status", "-p"]);
    if (text === undefined) return undefined;
    return this.json ? parseZpoolStatusJson(text) : parseZpoolStatusText(text);
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
