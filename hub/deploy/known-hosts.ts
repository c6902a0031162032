import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** One line of a known_hosts file, as sshd(8) describes it. */
export type KnownHost = {
  file: string;
  /** From 1. */
  line: number;
  marker: "revoked" | "cert-authority" | undefined;
  /** A list of patterns, or one hashed name. */
  hosts: string;
  /** `ssh-ed25519`, `ssh-rsa` … */
  type: string;
  /** Base64 of the public key. */
  key: string;
};

export type HostKey = {
  type: string /** Base64 of the public key. */;
  key: string /** As OpenSSH prints it. */;
  fingerprint: string;
};

/** What the files say of a key that a host showed. */
export type HostVerdict = { is: "known" | "changed" | "revoked"; by: KnownHost } | { is: "unknown" };

/** Lines that can't be read say nothing, as with OpenSSH. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split("\n").flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/);
    const marker = words[0] === "@revoked" ? "revoked" : words[0] === "@cert-authority" ? "cert-authority" : undefined;
    const [hosts, type, key] = marker === undefined ? words : words.slice(1);
    if (hosts === undefined || hosts.startsWith("#") || type === undefined || key === undefined) return [];
    return [{ file, line: index + 1, marker, hosts, type, key }];
  });
}

/** A public key as it comes over the wire (RFC 4253 §6.6). Undefined: it is none. */
export function parseHostKey(blob: Buffer): HostKey | undefined {
  if (blob.length < 4) return undefined;
  const end = 4 + blob.readUInt32BE(0);
  if (end > blob.length || end > 68) return undefined;
  const fingerprint = `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
  return { type: blob.toString("latin1", 4, end), key: blob.toString("base64"), fingerprint };
}

/** The name that a known_hosts file has for a host: with its port, unless that is 22. */
export const knownName = (host: string, port: number) => (port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`);

/**
 * Any key on record for this host that is another one makes it "changed", also one of another type: a host that lost its old key was installed
 * anew, or is another. A line without the port counts only for a key that it holds (OpenSSH `sshconnect.c`, check_host_key).
 */
export function judgeHostKey(known: readonly KnownHost[], host: string, port: number, shown: HostKey): HostVerdict {
  const isShown = (one: KnownHost) => one.type === shown.type && one.key === shown.key;
  const named = known.filter((one) => one.marker !== "cert-authority" && matchesHost(one.hosts, knownName(host, port)));
  const loose = known.filter((one) => one.marker === undefined && matchesHost(one.hosts, knownName(host, 22)));
  const revoked = known.find((one) => one.marker === "revoked" && isShown(one));
  if (revoked !== undefined) return { is: "revoked", by: revoked };
  const plain = named.filter(({ marker }) => marker === undefined);
  const same = plain.find(isShown) ?? (plain.length === 0 ? loose.find(isShown) : undefined);
  if (same !== undefined) return { is: "known", by: same };
  const [other] = plain;
  return other === undefined ? { is: "unknown" } : { is: "changed", by: other };
}

/** Key types on record for this host: those are asked for first, so that a host with several keys shows the one that is known. */
export function knownTypes(known: readonly KnownHost[], host: string, port: number): string[] {
  const names = [knownName(host, port), knownName(host, 22)];
  return known.filter(({ hosts }) => names.some((name) => matchesHost(hosts, name))).map(({ type }) => type);
}

/** A line for known_hosts with the name hashed, as Debian's ssh writes it (HashKnownHosts). */
export function knownHostLine(host: string, port: number, { type, key }: HostKey): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString("base64")}|${hashName(salt, knownName(host, port)).toString("base64")} ${type} ${key}`;
}

const hashName = (salt: Buffer, name: string) => createHmac("sha1", salt).update(name).digest();

function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith("|1|")) {
    const [salt = "", hash = ""] = hosts.slice(3).split("|");
    const [wanted, found] = [Buffer.from(hash, "base64"), hashName(Buffer.from(salt, "base64"), name)];
    return wanted.length === found.length && timingSafeEqual(wanted, found);
  }
  const patterns = hosts.toLowerCase().split(",");
  if (patterns.some((pattern) => pattern.startsWith("!") && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && matchesPattern(pattern, name));
}

/** `*` is any run of characters and `?` any one (ssh_config(5), PATTERNS). Goes back to the newest star only, so no pattern takes long. */
function matchesPattern(pattern: string, name: string): boolean {
  let [at, star, from] = [0, -1, 0];
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === "*") [star, from] = [at++, index];
    else if (pattern[at] === "?" || pattern[at] === name[index]) {
      at++;
      index++;
    } else if (star >= 0) [at, index] = [star + 1, ++from];
    else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
