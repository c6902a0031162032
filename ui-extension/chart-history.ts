import type { SeriesAnswer, SeriesSelector } from "#protocol/api.ts";
import type { ApiProblem } from "./api.ts";
import type { Instances } from "./core/charts.ts";
import { instancesOf } from "./core/charts.ts";
import { comparedMs } from "./core/comparison.ts";
import { isDue } from "./core/due.ts";
import { LiveTail, type LiveView } from "./core/live.ts";
import { isLive, type Range, type RangeWindow, tailWindow, windowOf } from "./core/range.ts";
import type { Panel } from "./panel.ts";

/** After so many pieces the whole range is asked again. */
const piecesMax = 40;
/** Ranges in steps so short are carried on by what the live stream tells; history is asked for the rest of them less often. */
const liveStepMs = 20_000;

export type ChartsQuestion = {
  entity: string;
  cluster: string;
  range: Range;
  compared: boolean;
  selectors(instances: Instances): SeriesSelector[];
};

/** `before`: pieces of the week before, on the same window; undefined: not compared. */
export type ChartsAnswer = {
  about: string;
  range: Range;
  window: RangeWindow;
  pieces: readonly SeriesAnswer[];
  before: readonly SeriesAnswer[] | undefined;
  askedAt: number;
  /** Why it is not newer. */
  problem: ApiProblem | undefined;
};

const keyOf = ({ entity, cluster, range, compared }: ChartsQuestion) => `${cluster} ${entity} ${range} ${compared}`;
const aboutOf = ({ entity, cluster }: ChartsQuestion) => `${cluster} ${entity}`;

/** How often history's newest part is asked for. */
function refreshEveryMs({ stepMs }: RangeWindow): number {
  return stepMs <= liveStepMs ? 30_000 : Math.min(300_000, Math.max(60_000, stepMs));
}

/** Whether only what came since has to be asked for: all of it was answered before, by this clock, and in not too many pieces. */
const canGrow = ({ pieces, before, problem, askedAt }: ChartsAnswer, now: number) =>
  problem === undefined &&
  askedAt <= now &&
  pieces.length > 0 &&
  pieces.length < piecesMax &&
  (before === undefined || before.length === pieces.length);

/** History for the charts of one thing: asked once, then only for what came since, with what the live stream tells in between. */
export class ChartHistory {
  /** What is known; its window moves on with the time. */
  answer: ChartsAnswer | undefined;
  #live: LiveTail | undefined;
  #abort: AbortController | undefined;
  #asking: string | undefined;
  #instances: Instances = new Map();

  constructor(
    private readonly panel: Panel,
    private readonly onChange: () => void,
  ) {}

  stop(): void {
    this.#abort?.abort();
    this.#abort = undefined;
    this.#asking = undefined;
  }

  /** Asks for what isn't known, or is old by now. */
  want(question: ChartsQuestion, now: number): void {
    const known = this.answer;
    const fits =
      known?.about === aboutOf(question) && known.range === question.range && (known.before !== undefined) === question.compared;
    if (!fits) {
      if (known !== undefined && known.about !== aboutOf(question)) this.answer = undefined;
      if (this.#asking !== keyOf(question)) void this.#ask(question, undefined, now);
    } else if (this.#asking === undefined && isOld(known, now)) {
      void this.#ask(question, canGrow(known, now) ? known : undefined, now);
    }
  }

  /** Takes what the live stream says of the thing; true: the charts have something new. */
  take(view: LiveView, now: number): boolean {
    const known = this.answer;
    if (known === undefined || !isLive(known.range) || known.window.stepMs > liveStepMs || this.#live === undefined) return false;
    if (!this.#live.add(view)) return false;
    this.answer = { ...known, window: windowOf(known.range, now) };
    this.#live.trim(this.answer.window.from);
    return true;
  }

  /** All that lies on the window. The live part comes last: of the step that was running when history was asked it knows more. */
  pieces(): readonly SeriesAnswer[] {
    if (this.answer === undefined) return [];
    const live = this.#live === undefined ? [] : [this.#live.answer(this.answer.window)];
    return [...this.answer.pieces, ...live];
  }

  async #ask(question: ChartsQuestion, known: ChartsAnswer | undefined, askedAt: number): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#asking = keyOf(question);
    const window = windowOf(question.range, askedAt);
    if (known === undefined) {
      this.#instances = await this.#readInstances(question);
      if (abort.signal.aborted) return;
    }
    const asked = known === undefined ? window : tailWindow(window, lastStep(known, question.range));
    const query = { series: question.selectors(this.#instances), ...asked };
    const [answer, before] = await Promise.all([
      this.panel.api.querySeries(query, abort.signal),
      question.compared ? this.panel.api.querySeries({ ...query, offsetMs: comparedMs }, abort.signal) : undefined,
    ]);
    if (abort.signal.aborted) return;
    this.#asking = undefined;
    const asking = { range: question.range, about: aboutOf(question), askedAt };
    if (known === undefined) this.#live = new LiveTail(question.entity);
    // Before it history has whole steps, with their minima and maxima.
    else if (answer.ok) this.#live?.trim(window.to - window.stepMs);
    if (answer.ok && before?.ok !== false) {
      const kept = known ?? { pieces: [], before: [] };
      const earlier = before === undefined ? undefined : [...(kept.before ?? []), before.value];
      this.answer = { ...asking, window, pieces: [...kept.pieces, answer.value], before: earlier, problem: undefined };
    } else {
      const problem = !answer.ok ? answer.problem : before?.ok === false ? before.problem : undefined;
      this.answer = { ...asking, ...this.#kept(question, window), problem };
    }
    this.onChange();
  }

  /** What is drawn stays where asking failed, unless it is of something else. It is asked again after the usual time: the hub may be overloaded. */
  #kept(question: ChartsQuestion, window: RangeWindow): Pick<ChartsAnswer, "window" | "pieces" | "before"> {
    const drawn = this.answer?.range === question.range && this.answer.about === aboutOf(question) ? this.answer : undefined;
    return {
      window: drawn?.window ?? window,
      pieces: drawn?.pieces ?? [],
      before: question.compared ? (drawn?.before ?? []) : undefined,
    };
  }

  /** A history query names its NICs, disks and drives; which there are, the current values tell. Storages have none. */
  async #readInstances({ entity, cluster }: ChartsQuestion): Promise<Instances> {
    if (entity.startsWith("storage/")) return new Map();
    if (entity.startsWith("node/") || entity.startsWith("guest/")) {
      const metrics = await this.panel.api.metrics(entity, cluster);
      return metrics.ok ? instancesOf(metrics.value) : new Map();
    }
    const found = await this.panel.api.entities.list({ entity, cluster, values: 1 });
    const [one] = found.ok ? found.value.items : [];
    return one === undefined ? new Map() : instancesOf(one);
  }
}

/** Start of the newest step that history itself has answered; the live stream may have moved the window on since. */
function lastStep({ askedAt }: ChartsAnswer, range: Range): number {
  const asked = windowOf(range, askedAt);
  return asked.to - asked.stepMs;
}

/** A range that ended asks no more, unless it could not be read. */
function isOld({ range, askedAt, window, problem }: ChartsAnswer, now: number): boolean {
  return (isLive(range) || problem !== undefined) && isDue(askedAt, refreshEveryMs(window), now);
}
