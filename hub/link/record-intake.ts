import { limits } from "#protocol/limits.ts";
import type { RefusalCode } from "#protocol/messages.ts";
import { errorMessage } from "../core/error.ts";
import type { RecordStream } from "../core/series.ts";
import type { Clock } from "../ports.ts";
import type { SessionEvents } from "./session-ports.ts";

/** Records on the way at once; an agent that keeps to limits.unackedRecords is well below. */
const inFlightMax = limits.unackedRecords * 4;

export type IntakePorts = {
  clock: Pick<Clock, "now">;
  events: Pick<SessionEvents, "problem" | "ingestAccepted" | "ingestRefused">;
  ack(seq: number): void;
  /** The stream can't be decoded further. */
  resync(problem: string): void;
  /** Ends the session. */
  refuse(code: RefusalCode, problem: string): void;
};

/** Takes one session's records in and acknowledges what is durable. */
export class RecordIntake {
  private stream: RecordStream | undefined;
  private inFlight = 0;
  private durableSeq = 0;
  private ackDue = false;
  private resyncing = false;
  private closed = false;
  private drained: (() => void) | undefined;

  constructor(private readonly ports: IntakePorts) {}

  /** `lastSeq`: the last record of this stream that is durable. */
  open(stream: RecordStream, lastSeq: number): void {
    this.stream = stream;
    this.durableSeq = lastSeq;
  }

  /** False: it is not open. */
  receive(record: Uint8Array): boolean {
    if (this.stream === undefined) return false;
    const { events, clock } = this.ports;
    if (this.inFlight >= inFlightMax) {
      events.problem("rate-limited");
      this.ports.refuse("rate-limited", `more than ${inFlightMax} records without an acknowledgement`);
      return true;
    }
    const accepted = this.stream.accept(record, clock.now());
    if (!accepted.ok) {
      this.askResync(accepted.problem);
      return true;
    }
    this.resyncing = false;
    this.inFlight++;
    accepted.value.durable.then(
      (seq) => this.durable(seq),
      (error: unknown) => this.refusedByStore(error),
    );
    return true;
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    if (this.inFlight > 0 && !this.closed) await new Promise<void>((resolve) => (this.drained = resolve));
  }

  ack(): void {
    this.ackDue = false;
    if (this.durableSeq > 0) this.ports.ack(this.durableSeq);
  }

  /** The session is over: nobody waits any more. */
  close(): void {
    this.closed = true;
    this.drained?.();
  }

  /** Records that were on their way when the stream broke fail too: one question, one count. */
  private askResync(problem: string): void {
    if (this.resyncing) return;
    this.resyncing = true;
    this.ports.resync(problem);
  }

  private durable(seq: number): void {
    this.inFlight--;
    this.ports.events.ingestAccepted();
    this.durableSeq = Math.max(this.durableSeq, seq);
    if (this.inFlight === 0) this.drained?.();
    if (this.ackDue) return;
    // One commit makes many records durable: their promises resolve one after the other, and one acknowledgement serves them all.
    this.ackDue = true;
    setImmediate(() => {
      if (this.ackDue) this.ack();
    });
  }

  private refusedByStore(error: unknown): void {
    this.inFlight--;
    if (this.closed) return;
    this.ports.events.ingestRefused(errorMessage(error));
    this.ports.refuse("overloaded", "The hub can't store samples now");
  }
}
