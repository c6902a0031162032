/** Width of a slot. */
const slotMs = 250;

/**
 * Wakes many things at their times, at most a quarter of a second late, at a cost that does not grow with how many wait. What no longer has to
 * wake is not taken out: whoever is woken looks whether it is still due.
 */
export class TimerWheel<T> {
  private readonly slots = new Map<number, T[]>();
  private reached: number;

  constructor(now: number) {
    this.reached = slotOf(now);
  }

  add(item: T, dueAt: number): void {
    // A time that has passed comes with the next look.
    const at = Math.max(Math.ceil(dueAt / slotMs), this.reached + 1);
    const slot = this.slots.get(at);
    if (slot === undefined) this.slots.set(at, [item]);
    else slot.push(item);
  }

  /** When the next look finds something; Infinity: nothing waits. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const at of this.slots.keys()) if (at < next) next = at;
    return next * slotMs;
  }

  /** All whose slot has come, oldest first. */
  due(now: number): T[] {
    const newest = slotOf(now);
    const steps = newest - this.reached;
    if (steps <= 0) return [];
    const found: T[] = [];
    if (steps <= this.slots.size) for (let at = this.reached + 1; at <= newest; at++) this.take(at, found);
    else for (const at of [...this.slots.keys()].filter((one) => one <= newest).sort((a, b) => a - b)) this.take(at, found);
    this.reached = newest;
    return found;
  }

  /** The clock was set by so much: everything wakes after the same real time. */
  shift(ms: number): void {
    const by = Math.round(ms / slotMs);
    const moved = [...this.slots].map(([at, items]) => [at + by, items] as const);
    this.slots.clear();
    for (const [at, items] of moved) this.slots.set(at, items);
    this.reached += by;
  }

  private take(at: number, into: T[]): void {
    const slot = this.slots.get(at);
    if (slot === undefined) return;
    this.slots.delete(at);
    for (const item of slot) into.push(item);
  }
}

const slotOf = (ms: number) => Math.floor(ms / slotMs);
