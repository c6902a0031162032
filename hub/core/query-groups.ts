import { type Combination, type Grouping, groupsMax, type SeriesClass } from "#protocol/class-queries.ts";
import { groupsOf, type Member } from "./query-class.ts";
import { Refusal } from "./refusal.ts";

/** Steps from `from` on that groups share. */
export type Steps = { from: number; stepMs: number; count: number };

/** Series combined step by step. A step counts those that have a sample in it. */
export class Combined {
  private readonly sum: Float64Array;
  private readonly count: Float64Array;
  private readonly min: Float64Array;
  private readonly max: Float64Array;

  constructor(private readonly steps: Steps) {
    this.sum = new Float64Array(steps.count);
    this.count = new Float64Array(steps.count);
    this.min = new Float64Array(steps.count).fill(Number.POSITIVE_INFINITY);
    this.max = new Float64Array(steps.count).fill(Number.NEGATIVE_INFINITY);
  }

  /** Adds one series: at most one value for each step. */
  add(at: Float64Array, values: Float64Array): void {
    const { from, stepMs, count: steps } = this.steps;
    for (let i = 0; i < at.length; i++) {
      const value = values[i] as number;
      const step = Math.floor(((at[i] as number) - from) / stepMs);
      if (Number.isNaN(value) || step < 0 || step >= steps) continue;
      this.sum[step] = (this.sum[step] as number) + value;
      this.count[step] = (this.count[step] as number) + 1;
      if (value < (this.min[step] as number)) this.min[step] = value;
      if (value > (this.max[step] as number)) this.max[step] = value;
    }
  }

  /** NaN where no series had a sample; `count` says 0 there. */
  column(combination: Combination): Float64Array {
    const { sum, count, min, max } = this;
    if (combination === "count") return count.slice();
    const plain = combination === "min" ? min : combination === "max" ? max : sum;
    return plain.map((value, step) => {
      const series = count[step] as number;
      if (series === 0) return Number.NaN;
      return combination === "avg" ? value / series : value;
    });
  }
}

export type Group = { cluster: string; name: string | undefined; members: Member[] };

/** Groups by cluster and name, what has no name last. @throws Refusal for more than an answer may have. */
export function groupMembers(of: SeriesClass, members: readonly Member[], by: Grouping): Group[] {
  const groups = new Map<string, Group>();
  for (const member of members) {
    for (const name of groupsOf(of, member, by)) {
      const key = JSON.stringify([member.cluster, name ?? null]);
      const group = groups.get(key) ?? { cluster: member.cluster, name, members: [] };
      group.members.push(member);
      groups.set(key, group);
    }
  }
  if (groups.size > groupsMax) {
    const remedy = `${groups.size} groups are more than ${groupsMax}: filter by cluster, node, tag or pool, or group by something else`;
    throw new Refusal("too-large", remedy, { field: "by" });
  }
  const order = ({ cluster, name }: Group) => `${cluster} ${name === undefined ? 1 : 0} ${name ?? ""}`;
  return [...groups.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
