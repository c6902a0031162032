import type { EpochMs } from "#protocol/ids.ts";
import { guestKey, type Vmid } from "#protocol/ids.ts";
import type { Schema } from "#protocol/records.ts";
import { StreamEncoder, type StreamRecord, type TickValues } from "../../agent/core/stream-encoder.ts";
import { guestMetricRows, seriesPerGuest, vmidOf, type Workload } from "./workload.ts";

/** What an agent says about `guests` guests from `firstGuest` on: their entities and ten series each. */
export function guestSchema(firstGuest: number, guests: number): Schema {
  const numbers = Array.from({ length: guests }, (_, index) => firstGuest + index);
  return {
    entities: numbers.map((guest) => ({ key: guestKey(vmidOf(guest) as Vmid), identity: [`uuid:${uuidOf(guest)}`] })),
    series: numbers.flatMap((_, entity) => guestMetricRows.map(({ id }) => ({ entity, metric: id, source: "pve-metrics" }))),
  };
}

const uuidOf = (guest: number) => `00000000-0000-4000-8000-${guest.toString(16).padStart(12, "0")}`;

/** One node's slice of the workload as the records of a stream, made by the agent's own encoder. */
export class NodeStream {
  private readonly encoder = new StreamEncoder();
  private schemaVersion = 0;
  private guests = 0;
  private nextSeq = 1;
  private schema: Schema = { entities: [], series: [] };

  constructor(
    private readonly workload: Workload,
    private readonly firstGuest: number,
  ) {}

  /** The present values of the first `guests` guests of this node. A changed number is a changed schema. */
  encode(at: EpochMs, guests: number): StreamRecord[] {
    if (guests !== this.guests) {
      this.guests = guests;
      this.schemaVersion++;
      this.schema = guestSchema(this.firstGuest, guests);
    }
    const first = this.firstGuest * seriesPerGuest;
    const tick: TickValues = {
      schemaVersion: this.schemaVersion,
      schema: () => this.schema,
      values: () => this.workload.scaled.subarray(first, first + guests * seriesPerGuest),
    };
    const records = this.encoder.encode(tick, at, this.nextSeq);
    this.nextSeq += records.length;
    return records;
  }

  /** Goes on behind what the hub has, with a schema and a key frame; what it never acknowledged is given up. */
  continueAfter(lastSeq: number): void {
    this.nextSeq = lastSeq + 1;
    this.encoder.restart();
  }
}
