/** Longest that messages are taken before everything else has its turn. What one read of a socket brought comes on top: a few ms. */
const turnMs = 8;

/** The part of a WebSocket that stops and goes on reading. */
export type Pausable = { pause(): void; resume(): void };

/**
 * Bounds how long the event loop takes messages at a time: after an outage of the hub every agent has a day of records to send, and reading all
 * sockets that have some would hold up for a tenth of a second whatever else there is to do. Meanwhile nobody reads, and TCP makes agents wait.
 */
export class MessageTurns {
  /** When the present turn began; undefined: there is none. */
  private beganMs: number | undefined;
  private served = new Set<Pausable>();
  private paused: readonly Pausable[] = [];

  constructor(
    private readonly sockets: () => Iterable<Pausable>,
    private readonly monotonicMs: () => number,
    private readonly inNextTurn: (work: () => void) => void = setImmediate,
  ) {}

  /** This socket's message was taken. */
  took(socket: Pausable): void {
    this.served.add(socket);
    if (this.beganMs === undefined) {
      this.beganMs = this.monotonicMs();
      this.inNextTurn(() => this.next());
    } else if (this.paused.length === 0 && this.monotonicMs() - this.beganMs >= turnMs) {
      this.paused = [...this.sockets()];
      for (const one of this.paused) one.pause();
    }
  }

  /** Going on takes what the sockets have gathered at once: where everybody waited, others have a whole turn before. */
  private next(): void {
    if (this.paused.length > 0) this.inNextTurn(() => this.goOn());
    else this.begin();
  }

  private begin(): void {
    this.beganMs = undefined;
    this.paused = [];
    this.served = new Set();
  }

  /** Who was not served comes first. */
  private goOn(): void {
    const { paused, served } = this;
    this.begin();
    for (const socket of paused) if (!served.has(socket)) socket.resume();
    for (const socket of paused) if (served.has(socket)) socket.resume();
  }
}
