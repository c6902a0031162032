/**
 * Wakes many things at their times, to the second, at a cost that does not grow with how many wait. What no longer has to wake is not taken
 * out: whoever is woken looks whether it is still due.
 */
export class TimerWheel<T> {
  private readonly slots = new Map<number, T[]>();
  private reached: number;

  constructor(now: number) {
    this.reached = secondOf(now);
  }

  add(item: T, dueAt: number): void {
    // A time that has passed comes with the next look.
    const second = Math.max(Math.ceil(dueAt / 1000), this.reached + 1);
    const slot = this.slots.get(second);
    if (slot === undefined) this.slots.set(second, [item]);
    else slot.push(item);
  }

  /** When the next look finds something; Infinity: nothing waits. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const second of this.slots.keys()) if (second < next) next = second;
    return next * 1000;
  }

  /** All whose second has come, oldest first. */
  due(now: number): T[] {
    const second = secondOf(now);
    const steps = second - this.reached;
    if (steps <= 0) return [];
    const found: T[] = [];
    if (steps <= this.slots.size) for (let at = this.reached + 1; at <= second; at++) this.take(at, found);
    else for (const at of [...this.slots.keys()].filter((one) => one <= second).sort((a, b) => a - b)) this.take(at, found);
    this.reached = second;
    return found;
  }

  /** The clock was set by so much: everything wakes after the same real time. */
  shift(ms: number): void {
    const by = Math.round(ms / 1000);
    const moved = [...this.slots].map(([second, items]) => [second + by, items] as const);
    this.slots.clear();
    for (const [second, items] of moved) this.slots.set(second, items);
    this.reached += by;
  }

  private take(second: number, into: T[]): void {
    const slot = this.slots.get(second);
    if (slot === undefined) return;
    this.slots.delete(second);
    for (const item of slot) into.push(item);
  }
}

const secondOf = (ms: number) => Math.floor(ms / 1000);
