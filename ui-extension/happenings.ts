import type { AlertView } from "#protocol/alerting.ts";
import type { EventView, TaskView } from "#protocol/api.ts";
import type { BackupView, RunView } from "#protocol/proof.ts";
import type { Answer } from "./api.ts";
import { isDue } from "./core/due.ts";
import { upToDate } from "./core/live-runs.ts";
import type { Happenings, MarkSubject } from "./core/marks.ts";
import type { Panel } from "./panel.ts";

const refreshMs = 60_000;
const none: Happenings = { events: [], tasks: [], alerts: [] };

/** What happened to one thing within a time: the hub's history, with what the live stream told since. */
export class HappeningsOf {
  /** Some of it could not be read, or was more than is asked for at once: what is shown isn't all. */
  incomplete = false;
  #known: Happenings = none;
  #asked = { about: "", since: 0, at: 0 };
  #turn = 0;

  constructor(
    private readonly panel: Panel,
    private readonly onChange: () => void,
  ) {}

  /** Asks for what isn't known, or is a minute old. */
  want(subject: MarkSubject, since: number, now: number): void {
    const about = `${subject.cluster} ${subject.entity}`;
    const { at, since: from } = this.#asked;
    if (about === this.#asked.about && since >= from && !isDue(at, refreshMs, now)) return;
    if (about !== this.#asked.about) this.#known = none;
    this.#asked = { about, since, at: now };
    void this.#read(subject, since);
  }

  /** All that is known, each once. */
  all(): Happenings {
    const { events, tasks, alerts = [] } = this.panel.store.picture.value;
    const { runs, backups } = this.#known;
    return {
      ...(runs === undefined ? {} : { runs: upToDate(runs, this.panel.store.runs.value) }),
      ...(backups === undefined ? {} : { backups }),
      events: once([...events, ...this.#known.events], ({ id }) => String(id)),
      tasks: once([...tasks, ...this.#known.tasks], ({ upid }) => upid),
      alerts: once([...alerts, ...this.#known.alerts], ({ id, firedAt }) => `${id} ${firedAt}`),
    };
  }

  async #read({ entity, cluster }: MarkSubject, since: number): Promise<void> {
    const turn = ++this.#turn;
    const api = this.panel.api.entities;
    const [kind, name = ""] = entity.split("/");
    const from = Math.max(0, Math.floor(since));
    const tasks =
      kind === "guest"
        ? api.tasksAbout({ guest: Number(name) }, cluster, from)
        : kind === "node"
          ? api.tasksAbout({ node: name }, cluster, from)
          : undefined;
    const { proof } = this.panel.api;
    const isGuest = kind === "guest";
    const answers = await Promise.all([
      api.eventsAbout(entity, cluster, from),
      tasks,
      api.alertsAbout(entity, cluster, from),
      isGuest ? proof.runs({ guest: Number(name), cluster, since: from, limit: 200 }) : undefined,
      isGuest ? proof.backups(Number(name)) : undefined,
    ]);
    if (turn !== this.#turn) return;
    const [events, ofTasks, alerts, runs, backups] = answers;
    // A hub that judges no rules, or tests nothing, has none of these to ask for.
    const isWhole = (answer: Answer<{ next: number | null }> | undefined) =>
      answer === undefined || (answer.ok && answer.value.next === null);
    const isAbsent = (answer: Answer<unknown> | undefined) => answer !== undefined && !answer.ok && answer.problem.status === 404;
    const optional = [alerts, runs, backups];
    this.incomplete = !isWhole(events) || !isWhole(ofTasks) || !optional.every((answer) => isWhole(answer) || isAbsent(answer));
    const kept = this.#known;
    const knownRuns = runs === undefined ? undefined : (itemsOf<RunView>(runs) ?? kept.runs);
    const knownBackups = backups === undefined ? undefined : (itemsOf<BackupView>(backups) ?? kept.backups);
    this.#known = {
      events: itemsOf<EventView>(events) ?? kept.events,
      tasks: (ofTasks === undefined ? [] : itemsOf<TaskView>(ofTasks)) ?? kept.tasks,
      alerts: itemsOf<AlertView>(alerts) ?? kept.alerts,
      ...(knownRuns === undefined ? {} : { runs: knownRuns }),
      ...(knownBackups === undefined ? {} : { backups: knownBackups }),
    };
    this.onChange();
  }
}

const itemsOf = <T>(answer: Answer<{ items: T[] }>) => (answer.ok ? answer.value.items : undefined);

/** The first one of each key. */
function once<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const known = new Map<string, T>();
  for (const item of items) if (!known.has(keyOf(item))) known.set(keyOf(item), item);
  return [...known.values()];
}
