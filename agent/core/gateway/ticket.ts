/**
 * `PVEAuthCookie` of a Cookie header; undefined: none. A character stands for a byte: of a user's name with an umlaut PVE's page makes `%F6` (JavaScript's
 * `escape`), and PVE takes each `%XX` for one byte, whatever it may mean (pve-http-server `PVE/APIServer/Formatter.pm` extract_auth_value, uri_unescape).
 */
export function ticketOfCookies(header: string | undefined): string | undefined {
  const value = /(?:^|\s)PVEAuthCookie=([^;\s]*)/.exec(header ?? "")?.[1];
  if (value === undefined || value === "" || value.length > 4096) return undefined;
  return value.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** The cookie that brings PVE these very bytes, as its own page would send them. */
export function cookieOfTicket(ticket: string): string {
  const hex = (character: string, digits: number) => character.charCodeAt(0).toString(16).toUpperCase().padStart(digits, "0");
  const escaped = (character: string) => (character <= "\u00FF" ? `%${hex(character, 2)}` : `%u${hex(character, 4)}`);
  return `PVEAuthCookie=${ticket.replaceAll(/[^A-Za-z0-9_.~-]/g, escaped)}`;
}

/** A name as somebody reads it, from its bytes: UTF-8 where they are, else the Latin-1 that PVE's page makes. */
export function nameOfBytes(bytes: string): string {
  try {
    return decodeURIComponent(bytes.replaceAll(/[%\u0080-\u00FF]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`));
  } catch {
    return bytes;
  }
}

/** `user`: a character for each byte, as in the ticket. */
export type TicketLook =
  | { ok: true; user: string; issuedAt: number }
  | { ok: false; why: "malformed" | "half-done" | "expired" | "from-the-future" };

/** PVE takes tickets of these ages: pve-access-control `PVE/AccessControl.pm` get_ticket_age_range. */
const maxAgeMs = 7_200_000;
const maxAheadMs = 300_000;

/**
 * What can be said of a ticket without asking anybody: each refusal by PVE takes it 3 s. The user is believed only after PVE's 200. A ticket
 * whose second factor is missing (`PVE:!tfa!…`) is none.
 */
export function lookAtTicket(ticket: string, now: number): TicketLook {
  if (/^PVE:!?tfa!|^PVE:u2f!/.test(ticket)) return { ok: false, why: "half-done" };
  const match = /^PVE:([^:!\s]+@[A-Za-z][A-Za-z0-9._-]+):([0-9A-F]{8})::[A-Za-z0-9+/=]{20,}$/.exec(ticket);
  if (match === null) return { ok: false, why: "malformed" };
  const issuedAt = Number.parseInt(match[2] as string, 16) * 1000;
  if (now - issuedAt >= maxAgeMs) return { ok: false, why: "expired" };
  if (issuedAt - now >= maxAheadMs) return { ok: false, why: "from-the-future" };
  return { ok: true, user: decodeUser(match[1] as string), issuedAt };
}

/** Only `:` is percent-escaped in there (pve-common `PVE/Ticket.pm`). */
const decodeUser = (text: string) => text.replaceAll(/%3a/gi, ":");
