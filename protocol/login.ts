import * as z from "zod/mini";
import { int, list, text } from "./schema-parts.ts";
import { userSchema, viewSchema } from "./viewer.ts";

/**
 * Signing in to the hub's own panel with a Proxmox VE account: the hub asks an agent, the agent asks its node's API as that user, keeps the
 * ticket in memory and never gives it away. `session` and `challenge` are the agent's names (32 random bytes) for what it keeps. Every
 * question is answered once, within 15 s, with its `id`.
 */

const handle = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const id = z.string().check(z.regex(/^[0-9a-f]{32}$/));
/** `pve-realm` in pve-access-control `PVE/Auth/Plugin.pm`. */
const realm = z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9._-]+$/), z.maxLength(32));

/** Second factors that can be typed in; `webauthn` and `u2f` need the page Proxmox VE is served from, so they can't be answered here. */
export const secondFactors = ["totp", "recovery", "yubico"] as const;
export type SecondFactor = (typeof secondFactors)[number];

const unavailable = z.strictObject({ id, state: z.literal("unavailable"), problem: text(500) });
/** The ticket has ended, was refused, or was ended by `login.end`: sign in again. */
const ended = z.strictObject({ id, state: z.literal("ended") });

export const realmSchema = z.lazy(() =>
  z.strictObject({
    realm,
    type: text(32),
    comment: z.optional(text(4096)),
    /** The one to choose first; Proxmox VE sends 1. */
    preselected: z.boolean(),
  }),
);
export type Realm = z.output<typeof realmSchema>;

/** Rows of the message table. */
export const loginMessages = {
  /** `GET /access/domains`, which Proxmox VE tells to everybody. */
  "login.realms": { from: "hub", since: 2, body: z.lazy(() => z.strictObject({ id })) },
  "login.realms.result": {
    from: "agent",
    since: 2,
    body: z.lazy(() =>
      z.discriminatedUnion("state", [z.strictObject({ id, state: z.literal("ok"), realms: list(realmSchema, 64) }), unavailable]),
    ),
  },
  /** `POST /access/ticket`. `user` is without the realm. */
  "login.start": {
    from: "hub",
    since: 2,
    secret: true,
    body: z.lazy(() => z.strictObject({ id, user: text(64), realm, password: text(4096) })),
  },
  /** The second step, `POST /access/ticket` with `tfa-challenge` and `password` = `<kind>:<code>`. A challenge is good for one answer. */
  "login.answer": {
    from: "hub",
    since: 2,
    secret: true,
    body: z.lazy(() => z.strictObject({ id, challenge: handle, kind: z.enum(secondFactors), code: text(128) })),
  },
  /** To `login.start` and `login.answer`. */
  "login.result": {
    from: "agent",
    since: 2,
    secret: true,
    body: z.lazy(() =>
      z.discriminatedUnion("state", [
        /** `viewAt`: when Proxmox VE told the view, agent's clock. */
        z.strictObject({ id, state: z.literal("ok"), session: handle, user: userSchema, view: viewSchema, viewAt: int }),
        /** `kinds`: the user's factors that can be answered here; empty: none can. */
        z.strictObject({ id, state: z.literal("tfa-needed"), challenge: handle, kinds: list(z.enum(secondFactors), 8) }),
        /** A wrong password, code or user, or a disabled one: Proxmox VE doesn't say which. */
        z.strictObject({ id, state: z.literal("refused") }),
        unavailable,
      ]),
    ),
  },
  /** Asks Proxmox VE again what the user sees; at most 60 s apart while the session is used. The agent renews the ticket when it is older than an hour. */
  "login.view": { from: "hub", since: 2, secret: true, body: z.lazy(() => z.strictObject({ id, session: handle })) },
  "login.view.result": {
    from: "agent",
    since: 2,
    body: z.lazy(() =>
      z.discriminatedUnion("state", [
        z.strictObject({ id, state: z.literal("ok"), view: viewSchema, viewAt: int }),
        ended,
        unavailable,
      ]),
    ),
  },
  /** `GET /access/permissions?path=…` with the session's ticket, for each path. */
  "login.permissions": {
    from: "hub",
    since: 2,
    secret: true,
    body: z.lazy(() => z.strictObject({ id, session: handle, paths: list(text(256), 16) })),
  },
  "login.permissions.result": {
    from: "agent",
    since: 2,
    body: z.lazy(() =>
      z.discriminatedUnion("state", [
        z.strictObject({
          id,
          state: z.literal("ok"),
          permissions: list(z.strictObject({ path: text(256), privileges: list(text(64), 128) }), 16),
        }),
        ended,
        unavailable,
      ]),
    ),
  },
  /** Whether Proxmox VE lets this user in and hides nothing of the cluster from him: for what is told somebody who does not ask. The agent asks as root. */
  "login.sight": { from: "hub", since: 3, body: z.lazy(() => z.strictObject({ id, user: userSchema })) },
  "login.sight.result": {
    from: "agent",
    since: 3,
    body: z.lazy(() =>
      z.discriminatedUnion("state", [z.strictObject({ id, state: z.literal("ok"), whole: z.boolean() }), unavailable]),
    ),
  },
  /** The agent forgets the ticket. Not answered. */
  "login.end": { from: "hub", since: 2, secret: true, body: z.lazy(() => z.strictObject({ session: handle })) },
} as const;
