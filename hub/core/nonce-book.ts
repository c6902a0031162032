/** `perAgent` and `total` are of those remembered at a time; who holds fewer than `share` is not refused for what others hold. */
export type NonceBounds = { perAgent: number; total: number; share: number };

/** `used`: seen before. `too-many`: it can't be remembered, so it must not be taken. */
export type NonceVerdict = "new" | "used" | "too-many";

/**
 * What agents have signed lately, so that nothing signed counts twice. Nothing is forgotten before its time. An agent that signs without end uses up
 * its own room and then what nobody has a share in: the requests of the others go on.
 */
export class NonceBook {
  /** By agent and nonce, oldest first: when it may be forgotten. */
  private readonly until = new Map<string, { agent: string; untilMs: number }>();
  private readonly held = new Map<string, number>();

  constructor(
    private readonly bounds: NonceBounds,
    private readonly keepMs: number,
  ) {}

  /** Of many agents all nonces are kept equally long, so that the oldest are the first to go. */
  take(agent: string, nonce: string, nowMs: number): NonceVerdict {
    this.forget(nowMs);
    const key = `${agent} ${nonce}`;
    if (this.until.has(key)) return "used";
    const { perAgent, total, share } = this.bounds;
    const own = this.held.get(agent) ?? 0;
    if (own >= perAgent || (this.until.size >= total && own >= share)) return "too-many";
    this.until.set(key, { agent, untilMs: nowMs + this.keepMs });
    this.held.set(agent, own + 1);
    return "new";
  }

  private forget(nowMs: number): void {
    for (const [key, { agent, untilMs }] of this.until) {
      if (untilMs > nowMs) return;
      this.until.delete(key);
      const left = (this.held.get(agent) ?? 1) - 1;
      if (left > 0) this.held.set(agent, left);
      else this.held.delete(agent);
    }
  }
}
