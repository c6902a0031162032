import type { EpochMs } from "#protocol/ids.ts";

/**
 * Rings at instants of wall time that calendars gave, one at a time: who hears it asks for the next. It is no state: what is due is found
 * by looking too, so that an instant that passed while the hub was off, or that the clock was set over, is only late.
 */
export class CalendarAlarm {
  private at: EpochMs | undefined;
  private cancel: () => void = () => undefined;

  constructor(private readonly ring: () => void) {}

  /** The same instant again changes nothing; undefined: it rings no more. */
  async set(at: EpochMs | undefined): Promise<void> {
    if (at === this.at) return;
    this.stop();
    this.at = at;
    if (at === undefined) return;
    // Most hubs mail no reports: they don't carry it.
    const { Job } = await import("node-schedule");
    if (this.at !== at) return;
    const job = new Job(() => {
      this.stop();
      this.ring();
    });
    // False: the instant has just passed, and the next look finds what is due.
    if (job.schedule(new Date(at))) this.cancel = () => job.cancel();
    else job.cancel();
  }

  stop(): void {
    this.cancel();
    this.cancel = () => undefined;
    this.at = undefined;
  }
}
