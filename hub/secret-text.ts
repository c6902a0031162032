import { hash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

/** As it is kept of a secret with enough random bits that nobody guesses it: its SHA-256. */
export const hashSecret = (secret: string) => hash("sha256", secret, "hex");

/** Compares without telling by its time where they differ; lengths may be told. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Of a file that the configuration names. A trailing newline, which editors write, is not part of it. @throws with the file's name */
export function readSecret(path: string): string {
  const secret = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  if (!/^[\x21-\x7e]+$/.test(secret)) throw new Error(`${path} holds no secret: one line of printable characters is expected`);
  return secret;
}

/** Standard Webhooks 1.0.0 §secret: `whsec_` and the base64 of 24 to 64 bytes. Undefined: it is none. */
export function parseWebhookSecret(text: string): Buffer | undefined {
  const match = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text);
  const key = Buffer.from(match?.[1] ?? "", "base64");
  return key.length >= 24 && key.length <= 64 ? key : undefined;
}
