import type { EntityKey } from "#protocol/ids.ts";
import type { FrameNews } from "../core/series.ts";

/**
 * Facts are looked at no more often than this, which is how often while there are alerts, and else this often: the samples that agents send every
 * 10 s come just before, so that the hub needs not wake up for facts;
 */
const factsEveryMs = 5000;
const factsAtLeastMs = 11_000;
/** entities and rules are followed no more often than this, */
const rebuildEveryMs = 30_000;
/** entities are compared this often where nothing seems to have changed, as time alone may add or take some, */
const compareEveryMs = 5 * 60_000;
/** and all is followed this often though nothing seems to have. */
const rebuildAtLeastMs = 3_600_000;

/** What a look at entities and rules is: `all` follows whatever there is, `compare` only where entities are others than before. */
export type Rebuild = "all" | "compare";

/** When the alert loop looks at facts again, and when at entities and rules: both cost milliseconds. Times are monotonic. */
export class AlertPace {
  private factsAt = Number.NEGATIVE_INFINITY;
  private rebuiltAt = Number.NEGATIVE_INFINITY;
  private comparedAt = Number.NEGATIVE_INFINITY;
  /** As of the last rebuild; what agents sample is another list where their schema is another. */
  private builtVersion: number | undefined;
  private seenVersion: number | undefined;
  private readonly sampled = new Map<string, readonly EntityKey[]>();
  private isOutdated = true;

  /** Rules are others now: everything is due. */
  reset(): void {
    this.rebuiltAt = Number.NEGATIVE_INFINITY;
  }

  frameCame({ agent, entities }: Pick<FrameNews, "agent" | "entities">): void {
    const key = `${agent.cluster} ${agent.node}`;
    if (this.sampled.get(key) === entities) return;
    this.sampled.set(key, entities);
    this.isOutdated = true;
  }

  /** In how many ms facts are due where no frame comes. */
  factsInMs(now: number, hasAlerts: boolean): number {
    if (this.rebuiltAt === Number.NEGATIVE_INFINITY) return 0;
    return this.factsAt + (hasAlerts ? factsEveryMs : factsAtLeastMs) - now;
  }

  /** Whether to look at facts now; then they count as looked at. */
  takeFacts(now: number): boolean {
    if (now - this.factsAt < factsEveryMs && this.rebuiltAt !== Number.NEGATIVE_INFINITY) return false;
    this.factsAt = now;
    return true;
  }

  /** Whether to follow entities and rules now; then they count as followed. `version` undefined: nobody counts changes. */
  takeRebuild(now: number, version: number | undefined): Rebuild | undefined {
    const changed = this.isOutdated || version === undefined || version !== this.builtVersion;
    if (now - this.rebuiltAt < (changed ? rebuildEveryMs : rebuildAtLeastMs)) {
      if (now - this.comparedAt < compareEveryMs) return undefined;
      this.comparedAt = now;
      return "compare";
    }
    this.rebuiltAt = now;
    this.comparedAt = now;
    this.builtVersion = version;
    this.isOutdated = false;
    return "all";
  }

  /** Whether the version is another one than at the last call. */
  takeNews(version: number | undefined): boolean {
    const isNews = version === undefined || version !== this.seenVersion;
    this.seenVersion = version;
    return isNews;
  }
}
