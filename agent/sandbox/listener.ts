import { sandboxGateway } from "../core/restore/isolation.ts";

/**
 * What guests say of themselves on the bridge, written down line by line: `<arp|ip4|ip6> <mac> <address>`, each once. Perl, because a raw socket
 * is beyond Node, and Perl is on every Debian (perl-base is essential). Arguments: device, file. Comes back once it listens and goes on by itself.
 */
export const listenerScript = `
use strict;
my ($dev, $file) = @ARGV;
sub line { open(my $f, "<", "/sys/class/net/$dev/$_[0]") or die "$dev: $!\\n"; my $l = <$f>; chomp $l; $l }
my $own = line("address"); $own =~ s/://g;
socket(my $s, 17, 3, unpack("S", pack("n", 3))) or die "packet socket: $!\\n";
bind($s, pack("S n i S C C a8", 17, 3, line("ifindex"), 0, 0, 0, "")) or die "bind: $!\\n";
open(my $out, ">>", $file) or die "$file: $!\\n";
select((select($out), $| = 1)[0]);
my $pid = fork();
die "fork: $!\\n" unless defined $pid;
exit 0 if $pid;
open(STDIN, "<", "/dev/null"); open(STDOUT, ">", "/dev/null"); open(STDERR, ">", "/dev/null");
my ($frame, %seen);
while (1) {
  defined(recv($s, $frame, 256, 0)) or do { select(undef, undef, undef, 0.5); next };
  next if length($frame) < 42;
  my ($mac, $type) = unpack("x6 H12 n", $frame);
  next if $mac eq $own or keys(%seen) >= 2000;
  my ($how, $address);
  if ($type == 0x0806) { $how = "arp"; $mac = unpack("x22 H12", $frame); $address = join(".", unpack("x28 C4", $frame)) }
  elsif ($type == 0x0800) { $how = "ip4"; $address = join(".", unpack("x26 C4", $frame)) }
  elsif ($type == 0x86dd) { $how = "ip6"; $address = join(":", unpack("x22 (H4)8", $frame)) }
  else { next }
  next if $mac eq $own or $seen{"$how $mac $address"}++;
  print $out "$how ", join(":", unpack("(A2)6", uc $mac)), " $address\\n";
}
`;

export type Heard = { how: "arp" | "ip4" | "ip6"; mac: string; address: string };

/** Lines of the listener's file; addresses that name nobody (none yet, self-assigned, multicast) are left out. */
export function parseHeard(text: string): Heard[] {
  return text.split("\n").flatMap((line): Heard[] => {
    const match = /^(arp|ip4|ip6) ([0-9A-F:]{17}) ([0-9a-f.:]+)$/.exec(line);
    if (match === null) return [];
    const [how, mac, address] = match.slice(1) as [Heard["how"], string, string];
    const usable = how === "ip6" ? address.startsWith("fe80:") : isHostAddress(address);
    return usable ? [{ how, mac, address }] : [];
  });
}

function isHostAddress(address: string): boolean {
  const [a = 0, b = 0] = address.split(".").map(Number);
  return a > 0 && a < 224 && a !== 127 && !(a === 169 && b === 254);
}

/** dnsmasq's lease file: `expiry mac address name client`, a line each. Upper-case MAC → address. */
export function parseLeases(text: string): Map<string, string> {
  const leases = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, mac, address] = line.split(" ");
    if (mac !== undefined && address !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
      leases.set(mac.toUpperCase(), address);
  }
  return leases;
}

export type Sighting = { address: string; how: "lease" | "static" | "link-local" };

/** The best address one of the cards is known by: leased, then its own, then IPv6's link-local one. In the order of `macs`. */
export function sightOf(
  macs: readonly string[],
  leases: ReadonlyMap<string, string>,
  heard: readonly Heard[],
): Sighting | undefined {
  for (const mac of macs) {
    const address = leases.get(mac);
    if (address !== undefined) return { address, how: "lease" };
  }
  for (const how of ["arp", "ip4", "ip6"] as const) {
    for (const mac of macs) {
      // The newest counts: a guest that takes another address says so.
      const address = heard.findLast((each) => each.mac === mac && each.how === how && !isSandboxAddress(each.address))?.address;
      if (address !== undefined) return { address, how: how === "ip6" ? "link-local" : "static" };
    }
  }
  return undefined;
}

/** The sandbox' own network, from the range for benchmarks (RFC 2544): nobody's production uses it. */
export const sandboxNetwork = {
  gateway: sandboxGateway,
  prefix: 16,
  netmask: "255.255.0.0",
  firstLease: "198.18.1.1",
  lastLease: "198.18.254.254",
} as const;

export const isSandboxAddress = (address: string) => address.startsWith("198.18.");

/**
 * An address to talk from with a guest that has its own: the nearest neighbour, so that any network of four addresses or more holds both and the
 * guest answers directly. Never one that ends in 0 or 255, nor one of `taken`.
 */
export function neighbourOf(address: string, taken: ReadonlySet<string>): string | undefined {
  const parts = address.split(".").map(Number);
  const last = parts[3] as number;
  for (const flip of [1, 3, 2, 4, 5, 6, 7, 8, 16, 32, 64]) {
    const neighbour = [...parts.slice(0, 3), last ^ flip].join(".");
    const end = last ^ flip;
    if (end !== 0 && end !== 255 && !taken.has(neighbour)) return neighbour;
  }
  return undefined;
}
