import { readFileSync } from "node:fs";
import * as z from "zod";
import { OutgoingClient } from "../outgoing.ts";
import { readSecret } from "../secret-text.ts";
import type { HttpProxy } from "../tunnel.ts";

/** Headers that the connection or the settings for credentials own. */
const ownHeaders = /^(authorization|host|connection|content-.*|transfer-encoding|user-agent|x-prometheus-.*)$/i;

const headersSchema = z
  .record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string().regex(/^[\x20-\x7e]*$/))
  .refine((headers) => Object.keys(headers).every((name) => !ownHeaders.test(name)), {
    error: "sets a header that is not free: credentials have their own settings",
  });

/** Keys that every section of hub.toml has which names a Prometheus-compatible server. */
export const receiverKeys = {
  url: z.url({ protocol: /^https?$/ }),
  /** HTTP basic authentication; needs password_file. */
  username: z.string().min(1).optional(),
  /** A file that holds the password and nothing else; readable by the hub only. */
  password_file: z.string().optional(),
  /** A file that holds the token for `Authorization: Bearer`. */
  bearer_token_file: z.string().optional(),
  /** Sent with each request, e.g. X-Scope-OrgID for Mimir's tenants. */
  headers: headersSchema.default({}),
  /** PEM file of the authorities, or the self-signed certificate, to trust instead of the system's. There is no way to turn verification off. */
  ca_file: z.string().optional(),
  allow_private: z.boolean().default(false),
  allow_loopback: z.boolean().default(false),
  timeout_sec: z.int().min(1).max(300).default(30),
};

export type ReceiverConfig = z.infer<z.ZodObject<typeof receiverKeys>>;

/** For zod's `refine` on a section: what of its credentials contradicts itself. */
export function credentialsAgree(config: ReceiverConfig): boolean {
  const basic = config.username !== undefined;
  return basic === (config.password_file !== undefined) && !(basic && config.bearer_token_file !== undefined);
}
export const credentialsHint = { error: "give username with password_file, or bearer_token_file, or neither" };

export type Receiver = { client: OutgoingClient; url: URL; headers: Record<string, string>; timeoutMs: number };

/** Reads the files that the configuration names. @throws with the file's name when one can't be read. */
export function openReceiver(config: ReceiverConfig, proxy?: HttpProxy): Receiver {
  const { username, password_file, bearer_token_file, ca_file } = config;
  const headers: Record<string, string> = { ...config.headers };
  if (username !== undefined && password_file !== undefined) {
    headers.authorization = `Basic ${Buffer.from(`${username}:${readSecret(password_file)}`).toString("base64")}`;
  }
  if (bearer_token_file !== undefined) headers.authorization = `Bearer ${readSecret(bearer_token_file)}`;
  const rules = { allowPrivate: config.allow_private, allowLoopback: config.allow_loopback };
  const ca = ca_file === undefined ? {} : { ca: readFileSync(ca_file, "utf8") };
  const client = new OutgoingClient(rules, { ...ca, proxy });
  return { client, url: new URL(config.url), headers, timeoutMs: config.timeout_sec * 1000 };
}
