import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../ports.ts";
import { fileProblem, readText } from "../sources/files.ts";

const maxAgeSec = 7200;
const maxAheadSec = 300;
const keyPath = "/etc/pve/pve-www.key";
const keyWithinMs = 3000;

/** What PVE makes its tokens with. A pmxcfs that hangs costs the one who writes three seconds, and nobody else anything. */
export async function readCsrfKey(
  root: string,
  clock: Clock,
): Promise<{ ok: true; text: string } | { ok: false; problem: string }> {
  const waiting = new AbortController();
  const late = clock.sleep(keyWithinMs, waiting.signal).then(() => ({ ok: false, code: "TIMEOUT" }) as const);
  const key = await Promise.race([readText(root)(keyPath, 4096), late]);
  waiting.abort();
  return key.ok ? key : { ok: false, problem: fileProblem(keyPath, key.code) };
}

/**
 * Whether this is the CSRF prevention token that PVE gave a user: `<hex time>:<HMAC>`, good for as long as a ticket. `user`: the bytes of the name
 * as the ticket has them; `key`: those of /etc/pve/pve-www.key. pve-access-control `PVE/AccessControl.pm` get_csrfr_secret, pve-common
 * `PVE/Ticket.pm` verify_csrf_prevention_token.
 */
export function csrfTokenFits(token: string | undefined, user: Buffer, key: Buffer, now: number): boolean {
  const match = /^([0-9A-F]{8}):([A-Za-z0-9+/]{43})$/.exec(token ?? "");
  if (match === null) return false;
  const [, stamp, given] = match as unknown as [string, string, string];
  const ageSec = now / 1000 - Number.parseInt(stamp, 16);
  if (ageSec <= -maxAheadSec || ageSec >= maxAgeSec) return false;
  const secret = withoutPadding(createHmac("sha256", key).update("").digest("base64"));
  const wanted = withoutPadding(createHmac("sha256", secret).update(`${stamp}:`).update(user).digest("base64"));
  return timingSafeEqual(Buffer.from(given), Buffer.from(wanted));
}

const withoutPadding = (text: string) => text.replace(/=+$/, "");
