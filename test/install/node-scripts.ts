import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { keyring, writeRepository } from "../../scripts/package/repository.ts";
import { newSigningKey } from "../support/signing-key.ts";

/** A signed repository of these packages, as one file for the containers. */
export function packRepository(dir: string, debs: readonly string[]): string {
  const key = newSigningKey("publisher");
  try {
    const repository = join(dir, "repository");
    mkdirSync(repository);
    const at = new Date("2026-11-23T08:00:00Z");
    writeRepository({ dir: repository, debs, at, key: key.fingerprint, url: "file:/opt/repository", env: key.env });
    const tar = join(dir, "repository.tar");
    execFileSync("tar", ["-C", dir, "-cf", tar, "repository"]);
    return tar;
  } finally {
    key.remove();
  }
}

/** What an administrator does who has the publisher's key and sources, and then `apt upgrade`. Not from Debian's own: there is no way to them. */
export const upgradeFromRepository = `
tar -C /opt -xf /debs/repository.tar
install -m 644 /opt/repository/${keyring} /usr/share/keyrings/
install -m 644 /opt/repository/proven.sources /etc/apt/sources.list.d/
only='-o Dir::Etc::sourcelist=/etc/apt/sources.list.d/proven.sources -o Dir::Etc::sourceparts=-'
apt-get $only -o APT::Update::Error-Mode=any -q update
apt-get $only -q -y --no-install-recommends upgrade`;

/** What restore tests do to the network, and what the agent's sandbox must not let through. */
export const sandboxSteps = `
ip link add pvt0 type bridge
sysctl -q -w net.ipv6.conf.pvt0.disable_ipv6=1 net.ipv4.conf.pvt0.arp_ignore=8
ip netns add proven-t
ip link add pvt1 type veth peer name inside netns proven-t
ip link set pvt1 master pvt0 up
ip netns exec proven-t sysctl -q -w net.ipv4.ip_forward=0
ip netns exec proven-t perl -MSocket -e 'socket(my $s, 17, SOCK_RAW, 0x0300) or die $!'
ip netns delete proven-t
ip link delete pvt0
touch /etc/pve/proven-test && rm /etc/pve/proven-test
if touch /usr/proven-test; then exit 1; fi
if touch /root/proven-test; then exit 1; fi
if mknod /tmp/device c 1 3; then exit 1; fi
echo all of it`;

/** When the hub finds it, its event loop turns no more; once. */
export const trap = "/var/lib/proven-hub/hang";
/** Loaded before the hub. */
export const hangs = `import { existsSync, unlinkSync } from "node:fs";
setInterval(() => { if (existsSync("${trap}")) { unlinkSync("${trap}"); for (;;); } }, 200).unref();`;

/** A shell command that writes a file. */
export const writing = (path: string, text: string) => `mkdir -p $(dirname ${path})\ncat >${path} <<'END'\n${text}\nEND`;
