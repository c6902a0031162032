import { parseVmid, type Vmid } from "#protocol/ids.ts";
import type { ReplicationFacts } from "#protocol/inventory.ts";
import type { SampleTable } from "../core/table.ts";
import { asFlag, asNumber, asObject, asText } from "../core/values.ts";
import type { PveApi } from "../pve/api.ts";
import { idsOf } from "./metric-ids.ts";
import { apiProblem } from "./node-api.ts";
import { counted, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";

const ids = idsOf("guest");
const source = "replication";

/** `lastSyncSec`: NaN before the first. `durationSec`: NaN where none ran. */
export type ReplicationState = { facts: ReplicationFacts; lastSyncSec: number; failCount: number; durationSec: number };

/**
 * Data of `GET /nodes/{node}/replication` (PVE::API2::Replication `status`, state of PVE::ReplicationState); only its empty list was seen from a
 * real node. Undefined: that is no list.
 */
export function parseReplication(data: unknown): ReplicationState[] | undefined {
  if (!Array.isArray(data)) return undefined;
  return data.flatMap((value) => {
    const job = asObject(value);
    const id = asText(job?.id);
    const vmid = parseVmid(job?.guest);
    const target = asText(job?.target);
    if (job === undefined || id === undefined || vmid === undefined || target === undefined) return [];
    const [schedule, error] = [asText(job.schedule), asText(job.error)];
    const lastSyncSec = asNumber(job.last_sync);
    return [
      {
        facts: {
          id: id.slice(0, 32),
          vmid,
          target: target.slice(0, 63),
          enabled: !asFlag(job.disable),
          ...(schedule === undefined ? {} : { schedule: schedule.slice(0, 200) }),
          ...(error === undefined ? {} : { error: error.trim().slice(0, 1000) || "failed" }),
        },
        lastSyncSec: lastSyncSec > 0 ? lastSyncSec : Number.NaN,
        failCount: asNumber(job.fail_count),
        durationSec: asNumber(job.duration),
      },
    ];
  });
}

/** Replication of this node's guests, asked once a minute where replication.cfg names one of them. */
export class ReplicationSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 5 * minuteMs;
  readonly patienceMs = minuteMs / 2;
  problem: string | undefined;
  brought = false;
  readonly told = new Told<ReplicationFacts[] | undefined>(undefined);
  private states: readonly ReplicationState[] = [];

  constructor(private readonly api: PveApi) {}

  get version(): number {
    return this.told.version;
  }

  everyMs({ files, guests }: NodeSight): number | undefined {
    if (files.replication?.some(({ vmid }) => guests.has(vmid))) return minuteMs;
    if (files.replication !== undefined) this.told.set([]);
    this.states = [];
    return undefined;
  }

  found(): string {
    return counted(this.states.length, "replication job");
  }

  async refresh(): Promise<void> {
    const result = await this.api.get("/nodes/localhost/replication");
    const states = result.ok ? parseReplication(result.data) : undefined;
    this.brought = states !== undefined;
    if (states === undefined) {
      this.problem = result.ok ? "the list of replication jobs was not understood" : apiProblem(result.error);
      return;
    }
    this.problem = undefined;
    this.states = states;
    this.told.set(states.map(({ facts }) => facts).slice(0, 5000));
  }

  put(table: SampleTable, { guests }: NodeSight, now: number): void {
    for (const { facts, lastSyncSec, failCount, durationSec } of this.states) {
      const guest = guests.get(facts.vmid as Vmid);
      if (guest?.config === undefined) continue;
      const entity = table.entity(guest.key, guest.config.identity);
      table.put(entity, ids.replication_age, source, Math.max(0, now / 1000 - lastSyncSec), facts.id);
      table.put(entity, ids.replication_fails, source, failCount, facts.id);
      table.put(entity, ids.replication_duration, source, durationSec, facts.id);
    }
  }
}
