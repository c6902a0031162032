import { metricById } from "#protocol/metrics.ts";
import { type BlockLayout, openBlock } from "../core/block.ts";
import type { Log } from "../ports.ts";
import type { EntityDoc, GroupDoc } from "./catalogue.ts";
import { dayMs, groupDocKey, hourMs, hourStart } from "./keys.ts";
import type { SeriesEnv } from "./series-env.ts";

/** Blocks of samples are of an agent's hour, rollups of a day in UTC. */
export type Tier = "samples" | "rollup";

/** Entities that a group is described by; it has more, as a rule. */
const membersNamed = 3;

const minuteText = (at: number) => new Date(at).toISOString().slice(0, 16).replace("T", " ");

function nodeOf(env: SeriesEnv, agent: number): string {
  for (const { key, value } of env.catalogue.getRange({ start: "agent ", end: "agent ~" })) {
    if ((value as { ref: number }).ref === agent) return `node ${key.split(" ")[2]}`;
  }
  return `agent ${agent}, which the catalogue doesn't know`;
}

/** What an operator calls a block: its node, its time, and which entities' metrics it holds. */
export function nameBlock(env: SeriesEnv, tier: Tier, span: number, group: number): string {
  const doc = env.catalogue.get(groupDocKey(group)) as GroupDoc | undefined;
  const from = tier === "samples" ? hourStart(span, doc?.agent ?? 0) : span * dayMs;
  const to = from + (tier === "samples" ? hourMs : dayMs);
  const what = tier === "samples" ? "samples" : "15-minute rollup";
  const when = `from ${minuteText(from)} to ${minuteText(to)} UTC`;
  if (doc === undefined) return `${what} ${when} of metric group ${group}, which the catalogue doesn't know`;
  const members = doc.members.map((key) => key.split(" ").slice(2, -1).join(" "));
  const more = members.length > membersNamed ? ` and ${members.length - membersNamed} more` : "";
  return `${what} of ${nodeOf(env, doc.agent)} ${when}, metric group ${group} (${members.slice(0, membersNamed).join(", ")}${more})`;
}

/** `guest/100 cpu`: what a series of a group is called. */
export function nameSeries(env: SeriesEnv, group: number, id: number): string {
  const doc = env.catalogue.get(groupDocKey(group)) as GroupDoc | undefined;
  for (const key of doc?.members ?? []) {
    const entity = env.catalogue.get(key) as EntityDoc | undefined;
    const series = entity?.series.find((one) => one.id === id);
    if (series === undefined) continue;
    const metric = metricById(series.metric)?.name ?? `metric ${series.metric}`;
    return [key.split(" ").slice(2, -1).join(" "), metric, ...(series.instance === undefined ? [] : [series.instance])].join(" ");
  }
  return `series ${id}`;
}

/** Blocks noted one by one; a disk that loses more needs no longer list. */
const notedMax = 1000;

/** What reading finds damaged. Each block is logged once, and answers without what it can't tell: a gap. */
export class Damage {
  private readonly noted = new Set<string>();

  constructor(
    private readonly env: SeriesEnv,
    private readonly log: Log,
  ) {}

  /** The block of this place; undefined where there is none or nothing of it can be read. */
  open(tier: Tier, span: number, group: number, bytes: Uint8Array | undefined): BlockLayout | undefined {
    if (bytes === undefined) return undefined;
    try {
      return openBlock(bytes);
    } catch {
      this.note(tier, span, group);
      return undefined;
    }
  }

  /** Something of this block can't be read. */
  note(tier: Tier, span: number, group: number): void {
    const name = `${tier} ${span} ${group}`;
    if (this.noted.has(name) || this.noted.size >= notedMax) return;
    this.noted.add(name);
    // Not at once: reading the catalogue would take the buffer that the block in work stands in.
    queueMicrotask(() => this.tell(nameBlock(this.env, tier, span, group)));
  }

  /** A value of the ring can't be read: rows of about a second, and what follows them up to the next key frames. */
  noteFrames(key: number): void {
    if (this.noted.size >= notedMax) return;
    this.noted.add(`frames ${key}`);
    this.tell(`frames ${key} of the write-ahead ring, that were not in blocks yet`);
  }

  private tell(block: string): void {
    this.log(3, "a part of the series store is damaged and is shown as a gap: see proven-hub store check", { block });
  }

  /** For health; undefined: nothing was found since the start. */
  problem(): string | undefined {
    const { size } = this.noted;
    if (size === 0) return undefined;
    const parts = size === 1 ? "a part is" : `${size} parts are`;
    return `The history is damaged: ${parts} shown as a gap. \`proven-hub store check\` names them; look at this machine's disk`;
  }
}
