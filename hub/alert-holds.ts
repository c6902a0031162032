import type { Recurrence, Silence, Suppression, Window } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { AlertRecord } from "./core/alert-record.ts";
import { type AutomaticWindow, automaticWindowsOf, covers, type Versions } from "./core/automatic-window.ts";
import type { ClusterPicture } from "./core/cluster.ts";
import { causesAmong, type Dependencies, inhibitorOf } from "./core/inhibit.ts";
import { type EntityFacts, matcherOf } from "./core/scope.ts";
import { silenceState, silences } from "./core/silence.ts";
import { recurrenceSpan, SpanCache, windowSpan } from "./core/window.ts";

/** After a node or a storage is back, what stood on it needs so long to recover. */
const consequencesMs = 5 * 60_000;

export type HoldInput = { silences: readonly Silence[]; windows: readonly Window[] };

/** What keeps alerts from being told: silences, maintenance windows, alerts that are the cause of others. */
export class AlertHolds {
  private input: HoldInput = { silences: [], windows: [] };
  private automatic = new Map<string, AutomaticWindow>();
  private readonly versions: Versions = new Map();
  private readonly windowSpans = new SpanCache<Window>(windowSpan);
  private readonly times = new SpanCache<Recurrence>(recurrenceSpan);
  private causes = new Map<string, AlertRecord[]>();
  private dependencies: Dependencies = new Map();
  private now = 0 as EpochMs;

  /** Decisions of people changed. */
  use(input: HoldInput): void {
    this.input = input;
    this.windowSpans.clear();
    this.times.clear();
  }

  dependOn(dependencies: Dependencies): void {
    this.dependencies = dependencies;
  }

  get dependencyFacts(): Dependencies {
    return this.dependencies;
  }

  /** Facts may have opened or closed windows. */
  stepAutomatic(pictures: readonly ClusterPicture[], now: EpochMs): void {
    const open = pictures.flatMap((picture) => automaticWindowsOf(picture, this.automatic, this.versions, now));
    this.automatic = new Map(open.map((window) => [window.id, window]));
  }

  automaticWindows(): AutomaticWindow[] {
    return [...this.automatic.values()];
  }

  /** Is this repeated time now? */
  isOn(times: Recurrence): boolean {
    return this.times.at(times, this.now).active;
  }

  /** Before a round of `holdOf`. */
  begin(records: Iterable<AlertRecord>, now: EpochMs): void {
    this.now = now;
    this.causes = causesAmong(records);
  }

  /** Why an alert is not told now; null: nothing holds it. Somebody's silence comes first, then windows, then causes. */
  holdOf(record: AlertRecord, facts: EntityFacts): Suppression | null {
    return this.silenceOf(record, facts) ?? this.windowOf(record, facts) ?? this.inhibition(record);
  }

  private silenceOf(record: AlertRecord, facts: EntityFacts): Suppression | null {
    for (const silence of this.input.silences) {
      if (silenceState(silence, this.now) !== "active") continue;
      const alert = { id: record.id, rule: record.rule, instance: record.subject.instance, facts };
      if (!silences(silence, alert)) continue;
      const text = `${silence.kind === "snooze" ? "Snoozed" : "Silenced"} by ${silence.createdBy}: ${silence.comment}`;
      return { by: silence.kind, id: silence.id, until: silence.endsAt, text };
    }
    return null;
  }

  private windowOf(record: AlertRecord, facts: EntityFacts): Suppression | null {
    for (const window of this.input.windows) {
      const { active, until } = this.windowSpans.at(window, this.now);
      if (!active || !matcherOf(window.scope)(facts, record.subject.instance)) continue;
      return { by: "window", id: window.id, until, text: `Maintenance window ${window.name}` };
    }
    for (const window of this.automatic.values()) {
      if (this.now >= window.until || !covers(window, facts.cluster, facts.entity, facts.node)) continue;
      return { by: "window", id: window.id, until: window.until, text: window.text };
    }
    return null;
  }

  private inhibition(record: AlertRecord): Suppression | null {
    const cause = inhibitorOf(record, this.causes, this.dependencies);
    if (cause !== undefined) return { by: "inhibited", id: cause.id, until: null, text: `Follows from: ${cause.text}` };
    const { heldBy } = record;
    if (heldBy?.by !== "inhibited") return null;
    // The cause is over: its consequences get some time to be over, too.
    const until = heldBy.until ?? this.now + consequencesMs;
    return this.now < until ? { ...heldBy, until } : null;
  }
}
