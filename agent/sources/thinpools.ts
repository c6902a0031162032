import { existsSync } from "node:fs";
import { parseEntityKey, thinpoolKey } from "#protocol/ids.ts";
import type { UnreadList } from "#protocol/inventory.ts";
import type { SampleTable } from "../core/table.ts";
import { asNumber, asObjects, asText, parseJsonObject } from "../core/values.ts";
import type { RunCommand } from "../ports.ts";
import { below } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import { counted, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";

const ids = idsOf("thinpool");
const source = "lvs";

/**
 * One command every ten minutes; each minute while a pool is more than three quarters full or fills by a percent between two looks. Data use
 * comes from pvestatd every ten seconds besides (as the storage's), metadata use from here alone.
 */
const calmEveryMs = 10 * minuteMs;
const closeEveryMs = minuteMs;
const fullFrom = 0.75;
const fastStep = 0.01;

/** Bytes; `data` and `metadata` 0 … 1. */
export type Thinpool = {
  vg: string;
  lv: string;
  size: number;
  data: number;
  metadata: number;
  metadataSize: number;
  provisioned: number;
};

const columns = "vg_name,lv_name,lv_size,lv_attr,pool_lv,data_percent,metadata_percent,lv_metadata_size";
/** Of the program `lvs`, for parseLvs. */
export const lvsArguments = ["--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns];

/**
 * `lvs --reportformat json --units b --nosuffix`: all values are strings; the fields PVE reads too (`lvm_list_volumes` in pve-storage
 * `LVMPlugin.pm`). The report's frame and its `log` as lvm2 2.03.31 of Debian 13 prints them. Undefined: that is no such report.
 */
export function parseLvs(text: string): Thinpool[] | undefined {
  const reports = asObjects(parseJsonObject(text)?.report).filter(({ lv }) => Array.isArray(lv));
  if (reports.length === 0) return undefined;
  const volumes = reports.flatMap(({ lv }) => asObjects(lv));
  const provisioned = new Map<string, number>();
  for (const { vg_name, pool_lv, lv_size } of volumes) {
    if (asText(pool_lv) === undefined) continue;
    const pool = `${vg_name}/${pool_lv}`;
    provisioned.set(pool, (provisioned.get(pool) ?? 0) + asNumber(lv_size));
  }
  return volumes.flatMap((volume) => {
    const [vg, lv] = [asText(volume.vg_name), asText(volume.lv_name)];
    // The first letter of the attributes is the volume's type: `t` is a thin pool.
    if (vg === undefined || lv === undefined || !(asText(volume.lv_attr) ?? "").startsWith("t")) return [];
    return [
      {
        vg,
        lv,
        size: asNumber(volume.lv_size),
        data: asNumber(volume.data_percent) / 100,
        metadata: asNumber(volume.metadata_percent) / 100,
        metadataSize: asNumber(volume.lv_metadata_size),
        provisioned: provisioned.get(`${vg}/${lv}`) ?? 0,
      },
    ];
  });
}

/** The first error: with a report as JSON they stand in it, and not on stderr. */
function lvsError(stdout: string, stderr: string): string {
  const errors = asObjects(parseJsonObject(stdout)?.log).filter(({ log_type }) => log_type === "error");
  return (asText(errors[0]?.log_message) ?? stderr).trim().slice(0, 200) || "not understood";
}

/** True when the next look should come soon. */
export function needsCloseLook(before: readonly Thinpool[], now: readonly Thinpool[]): boolean {
  return now.some((pool) => {
    const old = before.find(({ vg, lv }) => vg === pool.vg && lv === pool.lv) ?? pool;
    const fills = pool.data - old.data >= fastStep || pool.metadata - old.metadata >= fastStep;
    return fills || pool.data >= fullFrom || pool.metadata >= fullFrom;
  });
}

/** The node's LVM-thin pools, asked for only where the kernel has the module for them. */
export class ThinpoolSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 2 * calmEveryMs + minuteMs;
  readonly patienceMs = minuteMs;
  problem: string | undefined;
  brought = false;
  readonly told = new Told<{ vg: string; lv: string }[]>([]);
  private pools: readonly Thinpool[] = [];
  private close = false;
  /** Since it was read once without a problem. */
  private isWhole = false;

  constructor(
    private readonly root: string,
    private readonly run: RunCommand,
  ) {}

  get version(): number {
    return this.told.version;
  }

  get unread(): UnreadList | undefined {
    return this.isWhole ? undefined : "thinpools";
  }

  everyMs(): number | undefined {
    if (!existsSync(below(this.root, "/sys/module/dm_thin_pool"))) return undefined;
    return this.close ? closeEveryMs : calmEveryMs;
  }

  found(): string {
    return counted(this.pools.length, "thin pool");
  }

  async refresh(): Promise<void> {
    const result = await this.run("lvs", lvsArguments, { timeoutMs: 30_000, maxBytes: 8 << 20 });
    // One volume group that it can't read makes lvs end with 5; it reports the others all the same.
    const pools = result.ok ? parseLvs(result.stdout) : undefined;
    if (!result.ok) this.problem = result.problem;
    else if (result.code === 0 && pools !== undefined) this.problem = undefined;
    else this.problem = `lvs ended with ${result.code}: ${lvsError(result.stdout, result.stderr)}`;
    this.brought = pools !== undefined;
    if (pools === undefined) return;
    this.isWhole ||= this.problem === undefined;
    this.close = needsCloseLook(this.pools, pools);
    this.pools = pools;
    const names = pools.map(({ vg, lv }) => ({ vg: vg.slice(0, 127), lv: lv.slice(0, 127) }));
    // Of a volume group that can't be read nobody knows that its pools are gone: what fires for them must not end with it.
    const missed =
      this.problem === undefined
        ? []
        : this.told.value.filter(({ vg, lv }) => !names.some((one) => one.vg === vg && one.lv === lv));
    this.told.set([...names, ...missed].slice(0, 64));
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">): void {
    for (const pool of this.pools) {
      const key = parseEntityKey(thinpoolKey(node, pool.vg, pool.lv));
      if (key === undefined) continue;
      const entity = table.entity(key);
      table.put(entity, ids.size, source, pool.size);
      table.put(entity, ids.data, source, pool.data);
      table.put(entity, ids.metadata, source, pool.metadata);
      table.put(entity, ids.metadata_size, source, pool.metadataSize);
      table.put(entity, ids.provisioned, source, pool.provisioned);
    }
  }
}
