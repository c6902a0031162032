/** Longest that hellos are judged at a time; what came of them is written and told on top, which takes about three times as long. */
const turnMs = 4;

/** One agent at the desk. Neither may throw. */
export type Visit = {
  /** Judges it, in the transaction of all that are judged together. */
  decide(): void;
  /** What was decided is durable, or, where there is a `problem`, nothing of it is. */
  tell(problem: { cause: unknown } | undefined): void;
};

export type DeskPorts = {
  /** What `work` writes becomes durable as one, or, when it throws, none of it. */
  together(work: () => void): void;
  monotonicMs(): number;
  inNextTurn?: (work: () => void) => void;
};

/**
 * Where agents wait to be let in. Who comes together is written together: a disk's sync for each of two hundred agents that come back after the hub
 * was away would hold everything else up for a second. And no more at a time than take a few milliseconds.
 */
export class FrontDesk {
  private readonly waiting: Visit[] = [];
  private isCalled = false;

  constructor(private readonly ports: DeskPorts) {}

  enter(visit: Visit): void {
    this.waiting.push(visit);
    this.call();
  }

  private call(): void {
    if (this.isCalled || this.waiting.length === 0) return;
    this.isCalled = true;
    (this.ports.inNextTurn ?? setImmediate)(() => {
      this.isCalled = false;
      this.serve();
      this.call();
    });
  }

  private serve(): void {
    const { together, monotonicMs } = this.ports;
    const untilMs = monotonicMs() + turnMs;
    const served: Visit[] = [];
    let problem: { cause: unknown } | undefined;
    try {
      together(() => {
        for (
          let visit = this.waiting.shift();
          visit !== undefined;
          visit = monotonicMs() < untilMs ? this.waiting.shift() : undefined
        ) {
          served.push(visit);
          visit.decide();
        }
      });
    } catch (cause) {
      problem = { cause };
      if (served.length === 0) served.push(...this.waiting.splice(0)); // no transaction could be begun
    }
    for (const visit of served) visit.tell(problem);
  }
}
