import type { AlertView, Severity } from "#protocol/alerting.ts";
import type { GuestView } from "#protocol/api.ts";
import { isOpen } from "./alerts.ts";
import type { Translate } from "./text.ts";

/** What the tree and the Summary say of one guest: alerts that need somebody. Restore proofs are not reported yet, so no guest is proven. */
export type GuestMark = { critical: number; warning: number };

/** Never green: only a restore proof could say that. `unknown`: the hub doesn't know the guest, or can't be asked. */
export type Shield = "unknown" | "unproven" | "warning" | "critical";

/** By vmid. */
export type GuestMarks = ReadonlyMap<number, GuestMark>;

/** Marks of all guests the hub shows to this user. */
export function markGuests(
  guests: readonly Pick<GuestView, "vmid" | "cluster" | "entity">[],
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
      return [guest.vmid, { critical, warning }];
    }),
  );
}

export function shieldOf(mark: GuestMark | undefined): Shield {
  if (mark === undefined) return "unknown";
  if (mark.critical > 0) return "critical";
  return mark.warning > 0 ? "warning" : "unproven";
}

/** Why nothing is known: `unreachable`: no answer of the gateway or hub; `refused`: it doesn't let this user in. */
export type MarkProblem = "reading" | "unreachable" | "refused";

/** The strip's words. */
export function stripWords(mark: GuestMark | undefined, problem: MarkProblem | undefined, t: Translate): string {
  if (mark !== undefined) return `${t("No restore proof yet")} · ${alertWords(mark, t)}`;
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
