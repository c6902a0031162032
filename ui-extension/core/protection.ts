import type { GuestView } from "#protocol/api.ts";
import type { ProtectionState, ProtectionView } from "#protocol/panel.ts";
import { guestLabel } from "./problems.ts";
import { plural, type Translate } from "./text.ts";

/** By `cluster entity`; undefined: the hub has not said yet. */
export type Protections = ReadonlyMap<string, ProtectionView> | undefined;

export const protectionKey = ({ cluster, entity }: { cluster: string; entity: string }) => `${cluster} ${entity}`;

/** A guest that isn't protected, or that nobody can tell it of. The worst first. */
export type Gap = {
  guest: GuestView;
  state: Exclude<ProtectionState, "current">;
  since: number | undefined;
  disks: readonly string[];
};

/** What tests of backups say, by number of guests. `none`: never restored, or the hub tests nothing. */
export type ProofCounts = { proven: number; failed: number; overdue: number; none: number; unknown: number };

/** How all guests stand; templates are left out. */
export type ProtectionSummary = { total: number; counts: Record<ProtectionState, number>; proofs: ProofCounts; gaps: Gap[] };

const worstFirst: readonly ProtectionState[] = ["failed", "overdue", "none", "partial", "unknown"];

export function summarizeProtection(guests: readonly GuestView[], protections: Protections): ProtectionSummary {
  const counts: Record<ProtectionState, number> = { current: 0, overdue: 0, failed: 0, partial: 0, none: 0, unknown: 0 };
  const proofs: ProofCounts = { proven: 0, failed: 0, overdue: 0, none: 0, unknown: 0 };
  const gaps: Gap[] = [];
  const real = guests.filter((guest) => !guest.template);
  for (const guest of real) {
    const view = protections?.get(protectionKey(guest));
    const state = view?.state ?? "unknown";
    counts[state]++;
    const proof = guest.proof?.state ?? "never";
    proofs[proof === "never" ? "none" : proof]++;
    if (state === "current") continue;
    const disks = (view?.unprotected ?? []).map(({ disk }) => disk);
    gaps.push({ guest, state, since: view?.overdueSince ?? view?.backedUpAt ?? undefined, disks });
  }
  gaps.sort((a, b) => worstFirst.indexOf(a.state) - worstFirst.indexOf(b.state) || (a.since ?? 0) - (b.since ?? 0));
  return { total: real.length, counts, proofs, gaps };
}

export type ProtectionVerdict = { level: "critical" | "warning" | "unknown" | "calm" | "fine"; text: string };

/** The answer in a line. Green only where every guest's backup was restored and worked: one that nobody restored is not proven. */
export function protectionVerdict({ total, counts, proofs }: ProtectionSummary, t: Translate): ProtectionVerdict {
  const missed = counts.failed + counts.overdue;
  if (total === 0) return { level: "unknown", text: t("No guest is known") };
  if (missed > 0)
    return { level: "critical", text: plural(t, missed, "{n} guest missed its backup", "{n} guests missed their backup") };
  if (counts.none > 0)
    return { level: "warning", text: plural(t, counts.none, "{n} guest is in no backup job", "{n} guests are in no backup job") };
  if (counts.partial > 0)
    return {
      level: "warning",
      text: plural(t, counts.partial, "Of {n} guest a disk is in no backup", "Of {n} guests a disk is in no backup"),
    };
  if (counts.unknown > 0)
    return { level: "unknown", text: plural(t, counts.unknown, "Of {n} guest nobody can tell", "Of {n} guests nobody can tell") };
  if (proofs.failed > 0)
    return { level: "critical", text: plural(t, proofs.failed, "{n} restore test failed", "{n} restore tests failed") };
  const text = t("Every guest has the backup its calendar asks for");
  return { level: proofs.proven === total ? "fine" : "calm", text };
}

/** What is proven, in words. */
export function proofWords({ total, proofs }: ProtectionSummary, t: Translate): string {
  if (proofs.none === total) return t("No restore proof yet: a backup counts as proven only after a restore test");
  const parts = [
    t("{n} of {all} restored and proven", { n: proofs.proven, all: total }),
    proofs.failed > 0 ? plural(t, proofs.failed, "{n} failed", "{n} failed") : "",
    proofs.overdue > 0 ? plural(t, proofs.overdue, "{n} proof too old", "{n} proofs too old") : "",
    proofs.unknown > 0 ? plural(t, proofs.unknown, "{n} proof unknown", "{n} proofs unknown") : "",
    proofs.none > 0 ? plural(t, proofs.none, "{n} without proof", "{n} without proof") : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

/** A guest's gap in words. `age`: of what `since` says. */
export function gapWords({ state, since, disks }: Gap, age: (at: number) => string, t: Translate): string {
  switch (state) {
    case "failed":
      return since === undefined
        ? t("the newest backup failed")
        : t("the newest backup failed, the last good one {age} ago", { age: age(since) });
    case "overdue":
      return since === undefined ? t("backup overdue") : t("backup overdue for {age}", { age: age(since) });
    case "partial":
      return t("in no backup: {disks}", { disks: disks.join(", ") });
    case "none":
      return t("no backup job takes it");
    case "unknown":
      return t("backup unknown");
  }
}

export const gapLabel = ({ guest }: Gap) => guestLabel(guest);
