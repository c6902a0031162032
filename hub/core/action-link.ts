import type { AlertView, Silence } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";

/** What can be done from a message itself. */
export const linkActions = ["acknowledge", "silence"] as const;
export type LinkAction = (typeof linkActions)[number];
export const isLinkAction = (text: string): text is LinkAction => (linkActions as readonly string[]).includes(text);

export type ActionLink = { action: LinkAction; label: string; url: string };

const hourMs = 3_600_000;
const silenceByLinkMs = 4 * hourMs;
export const actionLabels: Record<LinkAction, string> = { acknowledge: "Acknowledge", silence: "Silence 4 h" };

/** Something in it fires that nobody has taken yet. */
export const wantsActions = ({ kind, alerts }: Pick<Notification, "kind" | "alerts">): boolean =>
  kind !== "test" &&
  kind !== "resolved" &&
  kind !== "acknowledged" &&
  alerts.some(({ state, acknowledged }) => state === "firing" && acknowledged === null);

/** What a link can still do: alerts of its message that fire without a break since, as they are now. */
export type LinkScope = { firing: AlertView[]; untaken: AlertView[] };

/** An alert that was over and fires again is another one: nobody has seen it when the link was sent. */
export function linkScope(told: readonly AlertView[], present: readonly AlertView[]): LinkScope {
  const episodes = new Map(told.map(({ id, firedAt }) => [id, firedAt]));
  const firing = present.filter(
    ({ id, state, firedAt }) => state === "firing" && firedAt !== null && episodes.get(id) === firedAt,
  );
  return { firing, untaken: firing.filter(({ acknowledged }) => acknowledged === null) };
}

/** The silence a link makes. Its id follows from the link (`digest`: hex): a second press doesn't prolong it. */
export function silenceByLink(digest: string, receiver: string, firing: readonly AlertView[], now: EpochMs): Silence {
  return {
    id: `link-${digest.slice(0, 16)}`,
    kind: "silence",
    alerts: firing.map(({ id }) => id),
    scope: null,
    rules: [],
    startsAt: now,
    endsAt: now + silenceByLinkMs,
    createdBy: byLink(receiver),
    comment: "",
  };
}

/** Who acted: nobody signed in, it was whoever reads that receiver's messages. */
export const byLink = (receiver: string): string => `a link sent to ${receiver}`;
