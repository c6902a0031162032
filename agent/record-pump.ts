import { limits } from "#protocol/limits.ts";
import { Bell } from "./bell.ts";
import type { SpoolStore } from "./spool-store.ts";

/** Questions whether the line is there, and their answers, in the order they were asked. */
export interface Pings {
  readonly asked: number;
  readonly answered: number;
  ask(): void;
}

export type PumpPorts = { store: SpoolStore; pings: Pings; send(record: Uint8Array): void };

/** Sends the records of a session as long as the hub's window is open, and anew where the hub lost the thread. */
export class RecordPump {
  private readonly bell = new Bell();
  /** Numbers of the records that are sent and not acknowledged. */
  private onTheWay: number[] = [];
  /** A resync that was not dealt with yet. */
  private resyncDue = false;
  /** Pings that have to be answered before a resync is about what was sent since the last one. */
  private resyncHeardFrom = 0;
  private ackedAtResync = -1;

  constructor(private readonly ports: PumpPorts) {}

  /** There may be more to send. */
  ring(): void {
    this.bell.ring();
  }

  /** Everything up to `seq` is on the hub's disk. */
  acknowledged(seq: number): void {
    this.ports.store.acknowledge(seq);
    this.onTheWay = this.onTheWay.filter((one) => one > seq);
    this.bell.ring();
  }

  /**
   * The hub can't read what it got. False: that is known. Records that were on the way when it lost the thread bring more of these: only what
   * comes behind the next pong is news.
   */
  resync(): boolean {
    if (this.resyncDue || this.ports.pings.answered < this.resyncHeardFrom) return false;
    this.resyncDue = true;
    this.bell.ring();
    return true;
  }

  /** From the record behind `lastSeq` on, until `over`. */
  async run(lastSeq: number, over: AbortSignal): Promise<void> {
    const { store, send } = this.ports;
    let reader = await store.resume(lastSeq);
    while (!over.aborted) {
      if (this.resyncDue) reader = await this.beginAnew();
      const room = limits.unackedRecords - this.onTheWay.length;
      const records = room > 0 ? await reader.next(room) : [];
      if (over.aborted || this.resyncDue) continue;
      for (const { seq, bytes } of records) {
        send(bytes);
        if (seq > store.acked) this.onTheWay.push(seq);
      }
      if (records.length === 0) await this.bell.wait(over);
    }
  }

  /** Where sending again helped nothing since the last resync, what is kept can't be read by this hub: a new start is the way on. */
  private async beginAnew() {
    const { store, pings } = this.ports;
    if (store.acked === this.ackedAtResync) await store.abandon();
    this.ackedAtResync = store.acked;
    const reader = await store.resume(store.acked);
    this.onTheWay = [];
    pings.ask();
    this.resyncHeardFrom = pings.asked;
    this.resyncDue = false;
    return reader;
  }
}
