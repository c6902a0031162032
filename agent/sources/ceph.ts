import { clusterKey } from "#protocol/ids.ts";
import type { CephFacts } from "#protocol/inventory.ts";
import { cephHealthCodes } from "#protocol/metrics.ts";
import { byText } from "#protocol/order.ts";
import type { SampleTable } from "../core/table.ts";
import { asNumber, asObject, asText } from "../core/values.ts";
import type { PveApi } from "../pve/api.ts";
import { speaksFor } from "./cluster-config.ts";
import { idsOf } from "./metric-ids.ts";
import { apiProblem } from "./node-api.ts";
import { minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";

const ids = idsOf("cluster");
const source = "ceph";

/** Raw bytes; NaN: not told. */
export type CephStatus = {
  facts: CephFacts;
  osds: number;
  up: number;
  in: number;
  total: number;
  used: number;
  avail: number;
};

/**
 * Data of `GET /cluster/ceph/status`, which PVE's schema calls an object and no more: it is `ceph status` as JSON. Fields after Ceph's own
 * documentation, never seen from a real system; older Ceph nests the map of OSDs once more.
 */
export function parseCephStatus(data: unknown): CephStatus | undefined {
  const status = asObject(data);
  const health = asObject(status?.health);
  const word = asText(health?.status);
  if (status === undefined || word === undefined) return undefined;
  const outer = asObject(status.osdmap);
  const osdmap = asObject(outer?.osdmap) ?? outer;
  const pgmap = asObject(status.pgmap);
  const checks = Object.entries(asObject(health?.checks) ?? {}).map(([code, value]) => {
    const check = asObject(value);
    const [severity, text] = [asText(check?.severity), asText(asObject(check?.summary)?.message)];
    return {
      code: code.slice(0, 64) || "?",
      ...(severity === undefined ? {} : { severity: severity.slice(0, 32) }),
      ...(text === undefined ? {} : { text: text.slice(0, 500) }),
    };
  });
  checks.sort((a, b) => byText(a.code, b.code));
  return {
    facts: { health: word.slice(0, 32), checks: checks.slice(0, 64) },
    osds: asNumber(osdmap?.num_osds),
    up: asNumber(osdmap?.num_up_osds),
    in: asNumber(osdmap?.num_in_osds),
    total: asNumber(pgmap?.bytes_total),
    used: asNumber(pgmap?.bytes_used),
    avail: asNumber(pgmap?.bytes_avail),
  };
}

/**
 * Ceph's health, where /etc/pve/ceph.conf is there, asked once a minute on one node: PVE answers only where Ceph's monitor is installed
 * (`check_ceph_inited` in pve-manager `PVE/Ceph/Tools.pm`).
 */
export class CephSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 3 * minuteMs;
  readonly patienceMs = minuteMs / 2;
  problem: string | undefined;
  readonly told = new Told<CephFacts | undefined>(undefined);
  private status: CephStatus | undefined;

  constructor(private readonly api: PveApi) {}

  get version(): number {
    return this.told.version;
  }

  everyMs({ files, duties, members }: NodeSight): number | undefined {
    // A monitor may be named otherwise than its node.
    const hosts = files.cephMonitors?.filter((name) => members?.members.some(({ node }) => node === name));
    if (hosts !== undefined && speaksFor(hosts, members, duties.has("cluster"))) return minuteMs;
    this.told.set(undefined);
    this.problem = undefined;
    return undefined;
  }

  found(): string {
    return this.status === undefined ? "no Ceph" : this.status.facts.health;
  }

  async refresh(): Promise<void> {
    const result = await this.api.get("/cluster/ceph/status");
    this.status = result.ok ? parseCephStatus(result.data) : undefined;
    if (this.status !== undefined) this.problem = undefined;
    else this.problem = result.ok ? "the status of Ceph was not understood" : apiProblem(result.error);
    this.told.set(this.status?.facts);
  }

  put(table: SampleTable): void {
    if (this.status === undefined) return;
    const { facts, osds, up, total, used, avail } = this.status;
    const entity = table.entity(clusterKey);
    const health = (cephHealthCodes as readonly string[]).indexOf(facts.health);
    if (health >= 0) table.put(entity, ids.ceph_health, source, health);
    table.put(entity, ids.ceph_osds, source, osds);
    table.put(entity, ids.ceph_osds_up, source, up);
    table.put(entity, ids.ceph_osds_in, source, this.status.in);
    table.put(entity, ids.ceph_total, source, total);
    table.put(entity, ids.ceph_used, source, used);
    table.put(entity, ids.ceph_avail, source, avail);
  }
}
