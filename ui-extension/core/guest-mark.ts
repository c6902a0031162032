import type { AlertView, Severity } from "#protocol/alerting.ts";
import type { GuestView } from "#protocol/api.ts";
import type { ProofBadge } from "#protocol/proof.ts";
import { isOpen } from "./alerts.ts";
import { lookOf, proofWords } from "./proofs.ts";
import type { Translate } from "./text.ts";

/** What the tree and the Summary say of one guest: alerts that need somebody, and whether its backup was proven to restore. */
export type GuestMark = { critical: number; warning: number; proof: ProofBadge | undefined };

/** `proven`, the one green one: a restore proof in time, and no open alert. `unknown`: the hub doesn't know the guest, or can't be asked. */
export type Shield = "unknown" | "unproven" | "proven" | "warning" | "critical";

/** By vmid. */
export type GuestMarks = ReadonlyMap<number, GuestMark>;

/** Marks of all guests the hub shows to this user. */
export function markGuests(
  guests: readonly Pick<GuestView, "vmid" | "cluster" | "entity" | "proof">[],
  alerts: readonly AlertView[],
): GuestMarks {
  const key = ({ cluster, entity }: { cluster: string; entity: string }) => `${cluster} ${entity}`;
  const open = new Map<string, Record<Severity, number>>();
  for (const alert of alerts.filter(isOpen)) {
    const counts = open.get(key(alert)) ?? { critical: 0, warning: 0, info: 0 };
    counts[alert.severity]++;
    open.set(key(alert), counts);
  }
  return new Map(
    guests.map((guest) => {
      const { critical = 0, warning = 0 } = open.get(key(guest)) ?? {};
      return [guest.vmid, { critical, warning, proof: guest.proof }];
    }),
  );
}

export function shieldOf(mark: GuestMark | undefined): Shield {
  if (mark === undefined) return "unknown";
  const look = lookOf(mark.proof);
  if (mark.critical > 0 || look === "bad") return "critical";
  if (mark.warning > 0) return "warning";
  return look === "good" ? "proven" : "unproven";
}

/** Why nothing is known: `unreachable`: no answer of the gateway or hub; `refused`: it doesn't let this user in. */
export type MarkProblem = "reading" | "unreachable" | "refused";

/** The strip's words. */
export function stripWords(mark: GuestMark | undefined, problem: MarkProblem | undefined, now: number, t: Translate): string {
  if (mark !== undefined) return `${proofWords(mark.proof, now, t)} · ${alertWords(mark, t)}`;
  if (problem === "reading") return t("Asking …");
  if (problem === "unreachable") return t("Unknown: Proven's gateway or hub doesn't answer");
  if (problem === "refused") return t("Unknown: Proven doesn't let you in");
  return t("Unknown: Proven doesn't know this guest, or you may not see it");
}

function alertWords({ critical, warning }: GuestMark, t: Translate): string {
  const n = critical + warning;
  if (n === 0) return t("no open alert");
  const all = n === 1 ? t("1 open alert") : t("{n} open alerts", { n });
  return critical === 0 ? all : t("{all}, {critical} critical", { all, critical });
}
