/** Bytes of an address, most significant first: 4 of IPv4, 16 of IPv6. Undefined: not an address. A zone (`%eth0`) is not accepted. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1).map(Number);
  return parts?.every((part) => part <= 255) ? Uint8Array.from(parts) : undefined;
}

/** RFC 4291 §2.2, the form with an IPv4 address at its end included. */
function parseIpv6(text: string): Uint8Array | undefined {
  const [head = "", tail, more] = text.split("::");
  if (more !== undefined) return undefined;
  const front = parseGroups(head, tail === undefined);
  const back = tail === undefined ? [] : parseGroups(tail, true);
  if (front === undefined || back === undefined) return undefined;
  const missing = 16 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...front, ...new Array<number>(missing).fill(0), ...back]);
}

function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
      continue;
    }
    const embedded = last && index === groups.length - 1 ? parseIpv4(group) : undefined;
    if (embedded === undefined) return undefined;
    bytes.push(...embedded);
  }
  return bytes;
}

/** A peer's address as people write it: one of IPv4 stays one where the socket speaks both (RFC 4291 §2.5.5.2). */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");

/**
 * Where somebody comes from, for what is counted by that: an IPv4 address, or the /64 that one customer has of IPv6, as who has that could come from
 * another address each time. A link-local one stands for itself: its /64 is everybody's. `address`: as Node gives a peer's, with a zone perhaps; what
 * is none stands for itself, too.
 */
export function placeOf(address: string): string {
  const bytes = peerBytes(address);
  if (bytes === undefined) return address;
  if (bytes.length === 4) return bytes.join(".");
  const isLinkLocal = bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
  return hex(isLinkLocal ? bytes : bytes.subarray(0, 8));
}

/** Whether a peer is the machine itself: `127.0.0.0/8` or `::1`. */
export function isLoopback(address: string): boolean {
  const bytes = peerBytes(address);
  return bytes?.length === 4 ? bytes[0] === 127 : bytes?.every((byte, index) => byte === (index === 15 ? 1 : 0)) === true;
}

/** Undefined: no address. */
function peerBytes(address: string): Uint8Array | undefined {
  const bytes = parseAddress(address.split("%", 1)[0] ?? "");
  return bytes !== undefined && isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** `::ffff:0:0/96`. */
const isMapped = (bytes: Uint8Array) =>
  bytes.length === 16 && bytes.subarray(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff));

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
