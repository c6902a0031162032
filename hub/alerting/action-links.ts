import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import { type ActionLink, actionLabels, isLinkAction, type LinkAction, linkActions, wantsActions } from "../core/action-link.ts";
import type { Secrets } from "../secrets.ts";

/** What a link in a message allows, and nothing else. */
export type LinkClaim = { action: LinkAction; delivery: string; expiresAt: EpochMs };
export type OpenedLink = { state: "valid" | "expired"; claim: LinkClaim } | { state: "forged" };

/** A night, a weekend and the Monday after it. */
const validMs = 72 * 3_600_000;
/** Where links lead; the hub's only pages that need no sign-in. */
export const actionPath = "/act/";
/** A group whose labels make a longer id has no links: some services refuse addresses beyond 2,000 characters. */
const idMax = 700;
const secretName = "links/key";

/** Makes and opens the links with which somebody acts on a message's alerts from the message itself. */
export class ActionLinks {
  private readonly key: Buffer;

  /** The key is made when it is first wanted, and kept: links in messages that are out must go on working. `base`: without a slash at its end. */
  constructor(
    secrets: Secrets,
    private readonly base: string,
    /** Links that were made until then act no more, ms since the Unix epoch. */
    private readonly endedAt: () => number = () => 0,
  ) {
    if (!secrets.has(secretName)) secrets.change({ [secretName]: randomBytes(32).toString("base64") });
    this.key = Buffer.from(secrets.get(secretName), "base64");
  }

  /** The same for each attempt to send a message; none where nothing fires any more. */
  of(notification: Notification): ActionLink[] {
    if (!wantsActions(notification) || notification.id.length > idMax) return [];
    const expiresAt = (notification.at + validMs) as EpochMs;
    return linkActions.map((action) => {
      const token = this.seal({ action, delivery: notification.id, expiresAt });
      return { action, label: actionLabels[action], url: `${this.base}${actionPath}${token}` };
    });
  }

  seal({ action, delivery, expiresAt }: LinkClaim): string {
    const claim = Buffer.from(`${action}\n${expiresAt}\n${delivery}`).toString("base64url");
    return `${claim}.${this.sign(claim).toString("base64url")}`;
  }

  open(token: string, now: EpochMs): OpenedLink {
    const [claim = "", mac = ""] = token.split(".", 2);
    const given = Buffer.from(mac, "base64url");
    const expected = this.sign(claim);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { state: "forged" };
    const [action = "", expires = "", ...id] = Buffer.from(claim, "base64url").toString("utf8").split("\n");
    if (!isLinkAction(action)) return { state: "forged" };
    const expiresAt = Number(expires) as EpochMs;
    const isOver = now >= expiresAt || expiresAt - validMs <= this.endedAt();
    return { state: isOver ? "expired" : "valid", claim: { action, delivery: id.join("\n"), expiresAt } };
  }

  private sign(claim: string): Buffer {
    return createHmac("sha256", this.key).update(`proven link\n${claim}`).digest();
  }
}
