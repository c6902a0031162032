import { countAlerts } from "./alerts.ts";
import type { Picture, Problem } from "./problems.ts";
import { shownReading } from "./reading.ts";
import { plural, type Translate } from "./text.ts";

/**
 * The one line at the top. `fine` says only that nothing that reports is wrong: what can't be known, or is kept quiet, is named in `unknown`, and keeps the
 * line from being all green.
 */
export type Verdict = { level: "critical" | "warning" | "unknown" | "fine"; text: string; unknown: readonly string[] };

/** Sums the problems up in words, the worst one first. */
export function verdictOf(picture: Picture, problems: readonly Problem[], t: Translate): Verdict {
  const { quiet, info } = countAlerts(picture.alerts ?? []);
  const held = [
    ...(quiet === 0 ? [] : [plural(t, quiet, "{n} alert taken or kept quiet", "{n} alerts taken or kept quiet")]),
    ...(info === 0 ? [] : [plural(t, info, "{n} alert for information", "{n} alerts for information")]),
  ];
  const unknown = [...countUnknown(picture, t), ...held, ...unproven(picture, t)];
  const [worst] = problems;
  if (picture.nodes.length === 0) return { level: "unknown", text: t("Nothing is known yet: no node reports"), unknown };
  if (worst === undefined) return { level: "fine", text: t("Everything that reports is fine"), unknown };
  const others = problems.length - 1;
  const text =
    others === 0
      ? worst.text
      : plural(t, others, "{worst}, and {n} more problem", "{worst}, and {n} more problems", { worst: worst.text });
  return { level: worst.severity, text, unknown };
}

/** What a verdict of some time ago is worth: nobody knows now. */
export function pastVerdict({ text, unknown }: Verdict, age: string, t: Translate): Verdict {
  return { level: "unknown", text: t("Not known now; {age} ago: {text}", { age, text }), unknown };
}

/** Guests whose backup nobody has seen to work. Empty where every one's was. */
function unproven({ guests }: Picture, t: Translate): string[] {
  const real = guests.filter((guest) => !guest.template);
  const proven = real.filter(({ proof }) => proof?.state === "proven").length;
  if (real.every(({ proof }) => proof === undefined)) return [t("Restore proof: not set up yet")];
  return proven === real.length ? [] : [t("{n} of {all} restored and proven", { n: proven, all: real.length })];
}

function countUnknown({ guests, storages }: Picture, t: Translate): string[] {
  const guestsUnknown = guests.filter((guest) => guest.state === "unknown").length;
  const storagesUnknown = storages.filter((storage) => storage.state === "unknown").length;
  return [
    guestsUnknown > 0 ? plural(t, guestsUnknown, "{n} guest unknown", "{n} guests unknown") : "",
    storagesUnknown > 0 ? plural(t, storagesUnknown, "{n} storage unknown", "{n} storages unknown") : "",
  ].filter((text) => text !== "");
}

/** Figures of the overview's tiles. Templates are no guests here: nobody expects them to run. */
export type Totals = {
  nodes: { online: number; total: number };
  guests: { running: number; stopped: number; other: number; unknown: number; total: number };
  storages: { available: number; total: number };
  /** Host threads in use and present, over the nodes with a fresh reading; undefined without one. */
  cpu: { used: number; total: number; nodes: number } | undefined;
  memory: { used: number; total: number; nodes: number } | undefined;
};

export function totalsOf({ nodes, guests, storages }: Picture, now: number): Totals {
  const real = guests.filter((guest) => !guest.template);
  const count = (state: string) => real.filter((guest) => guest.state === state).length;
  const [running, stopped, unknown] = [count("running"), count("stopped"), count("unknown")];
  const used = storages.filter((storage) => storage.state !== "disabled");
  return {
    nodes: { online: nodes.filter((node) => node.state === "online").length, total: nodes.length },
    guests: { running, stopped, unknown, other: real.length - running - stopped - unknown, total: real.length },
    storages: { available: used.filter((storage) => storage.state === "available").length, total: used.length },
    cpu: sumFresh(
      nodes.map((node) => ({ used: node.cpu, total: node.cpus })),
      now,
      (ratio, total) => ratio * total,
    ),
    memory: sumFresh(
      nodes.map((node) => ({ used: node.memUsed, total: node.memTotal })),
      now,
      (amount) => amount,
    ),
  };
}

type Pair = { used: Parameters<typeof shownReading>[0]; total: Parameters<typeof shownReading>[0] };

function sumFresh(pairs: readonly Pair[], now: number, usedOf: (used: number, total: number) => number): Totals["cpu"] {
  const sum = { used: 0, total: 0, nodes: 0 };
  for (const pair of pairs) {
    const [used, total] = [shownReading(pair.used, now), shownReading(pair.total, now)];
    if (used.state !== "fresh" || total.state !== "fresh") continue;
    sum.used += usedOf(used.value, total.value);
    sum.total += total.value;
    sum.nodes += 1;
  }
  return sum.nodes > 0 ? sum : undefined;
}
