import * as z from "zod/mini";
import { base64 } from "./schema-parts.ts";
import { encodeUtf8 } from "./utf8.ts";

/** Keys and certificates that are replaced while both sides run. */

/** SHA-256 of a certificate, `AA:BB:…`. */
const fingerprint = z.string().check(z.regex(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/));

export const renewalMessages = {
  /** After the welcome and whenever they change: the certificates by which this hub may be known from now on, that of this connection or its successor among them. */
  "hub.pins": {
    from: "hub",
    since: 2,
    body: z.lazy(() => z.strictObject({ fingerprints: z.array(fingerprint).check(z.minLength(1), z.maxLength(4)) })),
  },
  /** The agent shall make itself another key, and offer it. */
  "key.renew": { from: "hub", since: 2, body: z.lazy(() => z.strictObject({})) },
  /** The agent wants to be known by another key. `publicKey`: SPKI DER. `signature`: of that key over keyChangeBytes(). May come again. */
  "key.next": { from: "agent", since: 2, body: z.lazy(() => z.strictObject({ publicKey: base64(64), signature: base64(128) })) },
  /** The hub takes either key, until the first hello with this one; from then on only this one. */
  "key.taken": { from: "hub", since: 2, body: z.lazy(() => z.strictObject({ publicKey: base64(64) })) },
} as const;

/** What the new key signs: it belongs to this session, this agent and the key it follows, and serves nowhere else. */
export function keyChangeBytes(what: {
  nonce: string;
  clusterId: string;
  node: string;
  publicKey: string;
  nextKey: string;
}): Uint8Array {
  const { nonce, clusterId, node, publicKey, nextKey } = what;
  return encodeUtf8(["proven.key.next", nonce, clusterId, node, publicKey, nextKey].join("\n"));
}
