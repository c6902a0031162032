import { parseAddress } from "#protocol/addresses.ts";

/**
 * What a connection to an address may reach. `metadata`: services that hand a machine's credentials to whoever asks from it. `other`:
 * multicast, broadcast, documentation and reserved ranges.
 */
export type AddressClass = "public" | "private" | "loopback" | "link-local" | "metadata" | "other";

type Range = readonly [prefix: string, kind: AddressClass];

/** The first that fits. RFC 6890 and the IANA special-purpose registries; metadata addresses as the clouds document them. */
const ranges: readonly Range[] = [
  ["169.254.169.254/32", "metadata"],
  ["169.254.170.0/24", "metadata"],
  ["168.63.129.16/32", "metadata"],
  ["100.100.100.200/32", "metadata"],
  ["192.0.0.192/32", "metadata"],
  ["fd00:ec2::/32", "metadata"],
  ["fd20:ce::254/128", "metadata"],
  ["127.0.0.0/8", "loopback"],
  ["10.0.0.0/8", "private"],
  ["172.16.0.0/12", "private"],
  ["192.168.0.0/16", "private"],
  ["100.64.0.0/10", "private"],
  ["169.254.0.0/16", "link-local"],
  ["0.0.0.0/8", "other"],
  ["192.0.0.0/24", "other"],
  ["192.0.2.0/24", "other"],
  ["192.88.99.0/24", "other"],
  ["198.18.0.0/15", "other"],
  ["198.51.100.0/24", "other"],
  ["203.0.113.0/24", "other"],
  ["224.0.0.0/3", "other"],
  ["0.0.0.0/0", "public"],
  ["::1/128", "loopback"],
  ["fe80::/10", "link-local"],
  ["fc00::/7", "private"],
  ["2001:db8::/32", "other"],
  ["2001::/23", "other"],
  ["2000::/3", "public"],
  ["::/0", "other"],
];

const parsedRanges = ranges.map(([prefix, kind]) => {
  const [address = "", bits = ""] = prefix.split("/");
  return { address: parseAddress(address) ?? new Uint8Array(), bits: Number(bits), kind };
});

function inRange(address: Uint8Array, range: { address: Uint8Array; bits: number }): boolean {
  if (address.length !== range.address.length) return false;
  return range.address.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, range.bits - index * 8));
    const mask = (0xff << (8 - bits)) & 0xff;
    return ((address[index] ?? 0) & mask) === (byte & mask);
  });
}

/** IPv6 addresses that carry an IPv4 one reach what that one reaches: mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), 6to4 (2002::/16). */
function carriedIpv4(address: Uint8Array): Uint8Array | undefined {
  if (address.length !== 16) return undefined;
  const starts = (...prefix: number[]) => prefix.every((byte, index) => address[index] === byte);
  if (starts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)) return address.slice(12);
  if (starts(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0)) return address.slice(12);
  return starts(0x20, 0x02) ? address.slice(2, 6) : undefined;
}

export function classifyAddress(address: Uint8Array): AddressClass {
  const inner = carriedIpv4(address) ?? address;
  return parsedRanges.find((range) => inRange(inner, range))?.kind ?? "other";
}
