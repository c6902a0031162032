import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { plainAddress } from "#protocol/addresses.ts";
import type { Scope } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Permission } from "#protocol/viewer.ts";
import type { Viewer } from "../core/viewer.ts";

/**
 * Who asks. `by`: how it was shown, since cookies are sent by browsers unasked and keys are not. `cookie`: a session made with an API key;
 * `login`: with a Proxmox VE account; `gateway`: a Proxmox VE user, vouched for by an agent.
 */
export type Caller = {
  by: "key" | "cookie" | "login" | "gateway";
  /** Names the sender to rate limits; of a key its id. */
  keyId: string;
  user: string;
  scopes: readonly Scope[];
  expiresAt: EpochMs;
  /** What he sees now; undefined: he may go on no longer. Asked again and again while a stream is open. */
  standing(): Standing | undefined;
  /** Asks Proxmox VE whether he holds these; throws the Refusal where he doesn't. Only what his view doesn't tell is asked. */
  ask(cluster: string, needs: readonly Permission[]): Promise<void>;
};

/** Two keys may have one name, and a user of Proxmox VE is one user however he came. */
export const ownerOf = ({ by, keyId, user }: Caller) => (by === "key" || by === "cookie" ? `key ${keyId}` : `user ${user}`);

/** `mark` changes with what is seen. */
export type Standing = { viewer: Viewer; mark: string };

export type HubEnv = { Variables: { caller: Caller; viewer: Viewer }; Bindings: Partial<HttpBindings> };
export type HubApp = OpenAPIHono<HubEnv>;
export type HubContext = Context<HubEnv>;

/** The peer of the connection. Headers that claim another are not believed. */
export function addressOf(c: HubContext): string {
  return plainAddress(c.env?.incoming?.socket.remoteAddress ?? "unknown");
}
