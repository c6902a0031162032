import { sign } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";

/** PVE takes tickets of up to 7200 s; a fresh one costs less than a millisecond, and the cluster's key changes once a day. */
export const ticketMaxAgeMs = 4 * 60_000;

/**
 * A root@pam ticket as PVE itself makes it: `PVE:root@pam:<8 upper-case hex digits of the epoch>::<signature>`, RSA PKCS#1 v1.5 with SHA-1
 * (`assemble_rsa_ticket` in pve-common `PVE/Ticket.pm`). `keyPem`: /etc/pve/priv/authkey.key. Throws when that is no private key.
 */
export function mintTicket(keyPem: string, now: EpochMs): string {
  const epoch = Math.floor(now / 1000)
    .toString(16)
    .toUpperCase()
    .padStart(8, "0");
  const plain = `PVE:root@pam:${epoch}`;
  return `${plain}::${sign("sha1", Buffer.from(plain), keyPem).toString("base64")}`;
}
