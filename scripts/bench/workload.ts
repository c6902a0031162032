import { metricByName } from "#protocol/metrics.ts";

/**
 * A deterministic fleet of guests, ten series each, in the shapes that a Proxmox VE node reports: a noisy cpu, memory in pages, a constant
 * maximum, a slowly growing disk, byte counters with bursts, page counters, uptime, and I/O pressure that decays. Nine of ten series move, so
 * bytes per sample are pessimistic against a real cluster. The values are the catalogue's scaled integers; peers get the same numbers unscaled.
 */
export const guestMetrics = [
  "cpu",
  "mem_used",
  "mem_max",
  "disk_used",
  "net_in",
  "net_out",
  "disk_read",
  "disk_written",
  "uptime",
  "psi_io_some",
] as const;
export type GuestMetric = (typeof guestMetrics)[number];

/** Series of one guest. */
export const seriesPerGuest = guestMetrics.length;
export const guestsPerNode = 100;
/** Time between two ticks, ms and seconds. */
export const tickMs = 10_000;
const tickSec = tickMs / 1000;

const column = Object.fromEntries(guestMetrics.map((name, index) => [name, index])) as Record<GuestMetric, number>;

/** Catalogue rows of the ten series, in their order. */
export const guestMetricRows = guestMetrics.map((name) => {
  const row = metricByName("guest", name);
  if (row === undefined) throw new Error(`guest metric ${name} left the catalogue`);
  return row;
});

export const vmidOf = (guest: number) => 100 + guest;
export const nodeIndexOf = (guest: number) => Math.floor(guest / guestsPerNode);
export const nodeNameOf = (node: number) => `bench${node + 1}`;

/** Marsaglia's xorshift32: small, fast, and the same on every machine. */
class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0 || 1;
  }

  /** In [0, 1). */
  next(): number {
    let state = this.state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state >>> 0;
    return this.state / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  upTo(max: number): number {
    return Math.floor(this.next() * max);
  }
}

const page = 4096;
const gib = 2 ** 30;

/** How one guest behaves: drawn once, then only its series move. */
type Habit = {
  /** Mean cpu and its present distance from it, percent. */
  cpuMean: number;
  cpuSwing: number;
  /** Bytes a second. */
  netIn: number;
  netOut: number;
  /** Pages a write or read burst is made of. */
  readPages: number;
  writePages: number;
};

export class Workload {
  /** Scaled integers, guest by guest, ten each. Valid until the next tick. */
  readonly scaled: Float64Array;
  private readonly random: Random;
  private readonly habits: Habit[];

  constructor(
    readonly guests: number,
    seed = 42,
  ) {
    this.random = new Random(seed);
    this.scaled = new Float64Array(guests * seriesPerGuest);
    this.habits = Array.from({ length: guests }, (_, guest) => this.createGuest(guest * seriesPerGuest));
  }

  /** Moves the first `active` guests on by ten seconds. */
  tick(active = this.guests): void {
    for (let guest = 0; guest < active; guest++) this.stepGuest(guest * seriesPerGuest, this.habits[guest] as Habit);
  }

  /** The value a peer gets, in the catalogue's unit. */
  value(series: number): number {
    return (this.scaled[series] as number) / (guestMetricRows[series % seriesPerGuest]?.scale ?? 1);
  }

  private createGuest(at: number): Habit {
    const { scaled, random } = this;
    // Most guests idle; the others are anywhere between lightly and fully busy.
    const cpuMean = random.chance(0.6) ? 0.3 + 2 * random.next() : 5 + 60 * random.next();
    const memory = (1 + random.upTo(32)) * gib;
    scaled[at + column.mem_max] = memory;
    scaled[at + column.mem_used] = Math.floor((memory * (0.2 + 0.6 * random.next())) / page) * page;
    scaled[at + column.disk_used] = random.upTo(5e10 / page) * page;
    scaled[at + column.uptime] = random.upTo(5e6);
    for (const name of ["net_in", "net_out", "disk_read", "disk_written"] as const) {
      scaled[at + column[name]] = random.upTo(1e12 / page) * page;
    }
    // Rates spread over three decades, as fleets do.
    const rate = () => Math.exp(5 + 7 * random.next());
    return {
      cpuMean,
      cpuSwing: 0,
      netIn: rate(),
      netOut: rate(),
      readPages: rate() / 40,
      writePages: rate() / 400,
    };
  }

  private stepGuest(at: number, habit: Habit): void {
    this.stepCpu(at, habit);
    this.stepMemoryAndDisk(at);
    this.stepCounters(at, habit);
    this.stepPressure(at);
    this.add(at + column.uptime, tickSec);
  }

  /** An autoregressive walk around the mean, two decimals of a percent. */
  private stepCpu(at: number, habit: Habit): void {
    const { random } = this;
    const noise = (random.next() + random.next() + random.next() - 1.5) * 1.15;
    habit.cpuSwing = habit.cpuSwing * 0.85 + noise * habit.cpuMean * 0.25;
    const percent = Math.min(100, Math.max(0, habit.cpuMean + habit.cpuSwing));
    this.scaled[at + column.cpu] = Math.round(percent * 100);
  }

  private stepMemoryAndDisk(at: number): void {
    const { random, scaled } = this;
    if (random.chance(0.5)) {
      const next = (scaled[at + column.mem_used] as number) + Math.floor((random.next() - 0.5) * 512) * page;
      if (next > 0 && next < (scaled[at + column.mem_max] as number)) scaled[at + column.mem_used] = next;
    }
    if (random.chance(0.033)) this.add(at + column.disk_used, page * (1 + random.upTo(64)));
  }

  private stepCounters(at: number, habit: Habit): void {
    const { random } = this;
    const skewed = random.next();
    const burst = () => (random.chance(0.02) ? 50 : 1);
    this.add(at + column.net_in, Math.floor(habit.netIn * tickSec * (0.6 + 0.8 * skewed * skewed) * burst()));
    this.add(at + column.net_out, Math.floor(habit.netOut * tickSec * (0.6 + 0.8 * random.next()) * burst()));
    if (random.chance(0.15)) this.add(at + column.disk_read, page * Math.floor(1 + habit.readPages * random.next()));
    if (random.chance(0.7)) this.add(at + column.disk_written, page * Math.floor(1 + habit.writePages * random.next()));
  }

  /** Rises at once, then decays to zero; two decimals of a percent. */
  private stepPressure(at: number): void {
    const { random, scaled } = this;
    const before = scaled[at + column.psi_io_some] as number;
    const next = random.chance(0.03) ? random.next() * 2000 : before * 0.6;
    scaled[at + column.psi_io_some] = next < 1 ? 0 : Math.round(next);
  }

  private add(index: number, more: number): void {
    this.scaled[index] = (this.scaled[index] as number) + more;
  }
}
