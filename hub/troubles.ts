/** What goes wrong in the hub, for `health`: counted refusals, and why it is degraded now. */
export class Troubles {
  private readonly counts = new Map<string, number>();
  private ingestProblem: string | undefined;

  count(reason: string): void {
    // Reasons come from the code, apart from `agent says: …`, which an agent could make up without end.
    const key = this.counts.has(reason) || this.counts.size < 100 ? reason : "other";
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  refused(): Record<string, number> {
    return Object.fromEntries(this.counts);
  }

  /** True when this is news. */
  ingestRefused(problem: string): boolean {
    const news = this.ingestProblem === undefined;
    this.ingestProblem = problem;
    return news;
  }

  /** True when samples were refused before. */
  ingestAccepted(): boolean {
    const news = this.ingestProblem !== undefined;
    this.ingestProblem = undefined;
    return news;
  }

  problems(): string[] {
    return this.ingestProblem === undefined ? [] : [`The hub can't store samples, agents keep them: ${this.ingestProblem}`];
  }
}
