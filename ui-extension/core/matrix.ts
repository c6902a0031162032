import type { GuestProofView, RunView, Slower } from "#protocol/proof.ts";
import { tableCsv } from "./csv.ts";
import { type LiveRuns, openRunOf } from "./live-runs.ts";
import { levelWords } from "./proofs.ts";
import { plural, type Translate } from "./text.ts";

/**
 * How a guest stands. `works`: restored, and every check passed. `part`: restored, and something could not be checked or was left out. `old`: it
 * passed too long ago. `never` and `failed` as they say. `unknown`: no test came to its end. None of the others may look like `works`.
 */
export const matrixLooks = ["failed", "never", "old", "unknown", "part", "works"] as const;
export type MatrixLook = (typeof matrixLooks)[number];

export type MatrixRow = {
  guest: GuestProofView;
  look: MatrixLook;
  /** In a sentence: why it isn't `works`; empty where there is nothing to say. */
  why: string;
  /** The measure that got worst; undefined: none more than twice. */
  slower: Slower | undefined;
  /** A test of it that goes on. */
  run: RunView | undefined;
};

const gapOf = (guest: GuestProofView, name: string) => guest.gaps.find(({ gap }) => gap === name)?.text;
/** What was restored is not all of the guest. */
const leftOut = (guest: GuestProofView) => gapOf(guest, "disk-left-out");

function matrixLook(guest: GuestProofView): MatrixLook {
  const { proof } = guest;
  switch (proof.state) {
    case "proven":
      if (proof.level === "none") return "unknown";
      return proof.level === "works" && leftOut(guest) === undefined ? "works" : "part";
    case "overdue":
      return "old";
    case "failed":
    case "never":
    case "unknown":
      return proof.state;
  }
}

/** Rows, what needs somebody first. `verdicts`: of tests by their id. */
export function matrixRows(
  guests: readonly GuestProofView[],
  runs: LiveRuns,
  verdicts: ReadonlyMap<string, string>,
  t: Translate,
): MatrixRow[] {
  return guests
    .map((guest) => {
      const look = matrixLook(guest);
      const slower = guest.slower.toSorted((a, b) => b.factor - a.factor)[0];
      return { guest, look, slower, why: whyOf(guest, look, verdicts, t), run: openRunOf(runs, guest) };
    })
    .sort(
      (a, b) =>
        matrixLooks.indexOf(a.look) - matrixLooks.indexOf(b.look) ||
        (a.guest.proof.at ?? 0) - (b.guest.proof.at ?? 0) ||
        a.guest.vmid - b.guest.vmid,
    );
}

function whyOf(guest: GuestProofView, look: MatrixLook, verdicts: ReadonlyMap<string, string>, t: Translate): string {
  switch (look) {
    case "failed":
    case "unknown":
      return verdicts.get(guest.proof.runId ?? "") ?? "";
    case "never": {
      const without = gapOf(guest, "no-backup");
      if (without !== undefined) return t(without);
      return guest.dueAt === null ? t("No policy takes it") : "";
    }
    case "old":
      return guest.dueAt === null ? t("No policy takes it") : "";
    case "part":
    case "works":
      return leftOut(guest) ?? guest.notProven[0] ?? "";
  }
}

/** A look in a word or two, with what was proven. */
export function lookWords(look: MatrixLook, level: GuestProofView["proof"]["level"], t: Translate): string {
  const words: Record<MatrixLook, () => string> = {
    failed: () => t("FAILED"),
    never: () => t("never proven"),
    old: () => t("too old"),
    unknown: () => t("unknown"),
    part: () => (level === "works" ? t("works, without a disk") : t("only: {what}", { what: levelWords(level, t) })),
    works: () => levelWords("works", t),
  };
  return words[look]();
}

/** Words of a filter: `web proof:failed tag:prod node:pve1 is:slower is:running`. Every word must match. */
export function filterMatrix(rows: readonly MatrixRow[], filter: string): MatrixRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => words.every((word) => fits(row, word)));
}

function fits({ guest, look, slower, run }: MatrixRow, word: string): boolean {
  const [field = "", ...rest] = word.split(":");
  const value = rest.join(":");
  switch (rest.length > 0 ? field : undefined) {
    case "proof":
      return look === value;
    case "is":
      return value === "slower" ? slower !== undefined : value === "running" && run !== undefined;
    case "tag":
      return guest.tags.some((tag) => tag.toLowerCase() === value || tag.toLowerCase().startsWith(`${value}.`));
    case "node":
      return guest.node.toLowerCase() === value;
    default:
      return [String(guest.vmid), guest.name, guest.node, guest.pool ?? "", ...guest.tags].some((text) =>
        text.toLowerCase().includes(word),
      );
  }
}

/** The filter with `proof:<look>` set, or taken out where it is set already. */
export function toggledLook(filter: string, look: MatrixLook): string {
  const others = filter.split(/\s+/).filter((word) => word !== "" && !word.startsWith("proof:"));
  return (filter.includes(`proof:${look}`) ? others : [...others, `proof:${look}`]).join(" ");
}

/** How many guests of each look; the sum is all. */
export function countMatrix(rows: readonly Pick<MatrixRow, "look">[]): Record<MatrixLook, number> {
  const counts: Record<MatrixLook, number> = { failed: 0, never: 0, old: 0, unknown: 0, part: 0, works: 0 };
  for (const { look } of rows) counts[look]++;
  return counts;
}

/** The answer in a line. Green only where every guest's newest test passed in time. */
export function matrixVerdict(
  rows: readonly Pick<MatrixRow, "look">[],
  t: Translate,
): { level: "critical" | "warning" | "unknown" | "calm" | "fine"; text: string } {
  const { failed, never, old, unknown, part, works } = countMatrix(rows);
  const total = rows.length;
  if (total === 0) return { level: "unknown", text: t("No guest is known") };
  if (failed > 0)
    return {
      level: "critical",
      text: plural(t, failed, "The backup of {n} guest does NOT restore", "The backups of {n} guests do NOT restore"),
    };
  const open = never + old + unknown;
  if (open > 0)
    return {
      level: open === total ? "unknown" : "warning",
      text: plural(t, open, "{n} of {all} guests has no proof that counts", "{n} of {all} guests have no proof that counts", {
        all: total,
      }),
    };
  if (part > 0) return { level: "calm", text: t("All restore; whether all work was not checked for {n}", { n: part }) };
  return { level: "fine", text: plural(t, works, "The guest restores and works", "All {n} guests restore and work") };
}

/** The matrix as a table for spreadsheets; times in UTC, ISO 8601. */
export function matrixCsv(rows: readonly MatrixRow[]): string {
  const time = (at: number | null | undefined) => (at == null ? "" : new Date(at).toISOString());
  const head = [
    ..."cluster,vmid,name,type,node,pool,tags,proof,level,tested,duration s,slower,reason,run".split(","),
    ..."last backup,backup,next test due".split(","),
  ];
  return tableCsv(
    head,
    rows.map(({ guest, look, slower, why }) => [
      ...[guest.cluster, guest.vmid, guest.name, guest.type, guest.node, guest.pool ?? "", guest.tags.join(" "), look],
      ...[guest.proof.level, time(guest.proof.at), guest.proof.durationMs === null ? "" : guest.proof.durationMs / 1000],
      ...[slower === undefined ? "" : `${slower.measure} ${slower.factor.toFixed(1)}x`, why, guest.proof.runId ?? ""],
      ...[time(guest.lastBackup?.at), guest.lastBackup?.volid ?? "", time(guest.dueAt)],
    ]),
  );
}

/** What is left of a time, as clocks of ovens show it: `1:04:09`, `4:09`; nothing left is `0:00`. */
export function countdown(leftMs: number): string {
  const seconds = Math.max(0, Math.ceil(leftMs / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
