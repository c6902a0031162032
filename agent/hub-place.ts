import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { errorMessage } from "./core/error.ts";
import { readIfThere, writePrivate } from "./private-file.ts";
import { fileProblem, readText } from "./sources/files.ts";

export const hubUrlPattern = /^wss:\/\/[^\s/]+(\/[^\s]*)?$/;
/** SHA-256 as OpenSSL and Node print it. */
export const fingerprintPattern = /^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/;

const place = {
  url: z.string().check(z.regex(hubUrlPattern)),
  fingerprint: z.string().check(z.regex(fingerprintPattern)),
};
const pin = z.string().check(z.regex(fingerprintPattern));
/** `next`: the certificate that follows, while the hub renews it. */
const hubFile = z.object({ ...place, next: z.optional(pin) });
const pinsFile = z.object({ of: pin, accepts: z.array(pin).check(z.minLength(1)) });
const joinFile = z.strictObject({ ...place, token: z.optional(z.string().check(z.minLength(1), z.maxLength(200))) });

/** Where the hub is, by what certificate it is known, and what proves at the first connection that we may join. */
export type HubPlace = {
  url: string;
  /** Upper case, `AA:BB:…`. */
  fingerprint: string;
  /** Certificates it may show now: the hub itself has said so since, or hub.json has. Undefined: that of `fingerprint` only. */
  accepts?: readonly string[];
  /** Which file says so, for the log. */
  from: string;
  proof: { kind: "key"; key: Buffer } | { kind: "token"; token: string } | undefined;
};

/** `none`: the cluster has no hub, which is known and not just unread. */
export type PlaceFound = { ok: true; place: HubPlace } | { ok: false; problem: string; none?: boolean };

export type HubFiles = { root: string; stateDir: string; configured: { url: string; fingerprint: string } | undefined };

const joinPath = (stateDir: string) => join(stateDir, "join.json");
const joinedPath = (stateDir: string) => join(stateDir, "joined");
const pinsPath = (stateDir: string) => join(stateDir, "hub-pins.json");

const looking = new WeakMap<HubFiles, Promise<PlaceFound>>();

/**
 * Looks in this order: agent.toml, what `proven-agent join` stored, the cluster's `/etc/pve/proven/hub.json`. Asked anew for each
 * connection, so that a hub that appears, moves or renews its certificate is found. Never rejects. While pmxcfs hangs it has no answer, and
 * whoever asks waits for the same one: a reader that is stuck holds up nobody else.
 */
export function findHub(files: HubFiles): Promise<PlaceFound> {
  const pending = looking.get(files);
  if (pending !== undefined) return pending;
  const found = lookForHub(files).finally(() => looking.delete(files));
  looking.set(files, found);
  return found;
}

async function lookForHub({ root, stateDir, configured }: HubFiles): Promise<PlaceFound> {
  try {
    const joined = readIfThere(joinPath(stateDir));
    if (configured !== undefined) return placeAt(configured, "agent.toml", await readJoinKey(root), stateDir);
    if (joined !== undefined) {
      const { token, ...at } = joinFile.parse(JSON.parse(joined));
      return placeAt(at, joinPath(stateDir), token === undefined ? undefined : { kind: "token", token }, stateDir);
    }
    const cluster = await readShared(root, hubFilePath);
    if (cluster === undefined) {
      const problem = `no hub yet: ${join(root, hubFilePath)} is not there, and nothing was joined`;
      return { ok: false, problem, none: (await readShared(root, "/etc/pve/.version")) !== undefined };
    }
    return placeAt(hubFile.parse(JSON.parse(cluster)), join(root, hubFilePath), await readJoinKey(root), stateDir);
  } catch (error) {
    return { ok: false, problem: `where the hub is can't be read: ${errorMessage(error)}` };
  }
}

const hubFilePath = "/etc/pve/proven/hub.json";
const joinKeyPath = "/etc/pve/priv/proven/join.key";

/** A file of pmxcfs; undefined when it isn't there, as when pmxcfs isn't mounted. */
async function readShared(root: string, path: string): Promise<string | undefined> {
  const file = await readText(root)(path);
  if (file.ok) return file.text;
  if (file.code === "ENOENT") return undefined;
  throw new Error(fileProblem(path, file.code));
}

function placeAt(
  at: { url: string; fingerprint: string; next?: string | undefined },
  from: string,
  proof: HubPlace["proof"],
  stateDir: string,
): PlaceFound {
  const fingerprint = at.fingerprint.toUpperCase();
  const said = readPins(stateDir, fingerprint) ?? [fingerprint];
  const accepts = at.next === undefined ? said : [...new Set([...said, at.next.toUpperCase()])];
  return { ok: true, place: { url: agentUrl(at.url), fingerprint, accepts, from, proof } };
}

/** What the hub that was found by `fingerprint` said last of its certificates; undefined: nothing, or it was another hub. */
function readPins(stateDir: string, fingerprint: string): readonly string[] | undefined {
  const text = readIfThere(pinsPath(stateDir));
  const pins = text === undefined ? undefined : pinsFile.parse(JSON.parse(text));
  return pins?.of === fingerprint ? pins.accepts : undefined;
}

/**
 * The hub, known by one certificate that this agent accepts, names those it may show from now on: so a new one is known before it is shown, and an
 * old one is no more when it is gone. Ignored when the one of this connection is not among them.
 */
export function writePins(stateDir: string, place: HubPlace, shown: string, accepts: readonly string[]): void {
  if (!accepts.includes(shown)) return;
  const present = place.accepts ?? [place.fingerprint];
  if (present.length === accepts.length && accepts.every((one) => present.includes(one))) return;
  writePrivate(pinsPath(stateDir), `${JSON.stringify({ of: place.fingerprint, accepts })}\n`);
}

/** `wss://host:8420` means its `/agent`. */
function agentUrl(url: string): string {
  const parsed = new URL(url);
  if (parsed.pathname === "/") parsed.pathname = "/agent";
  return parsed.href;
}

/** Written by the hub's package as base64; only root may read it. Undefined: this node is in no cluster with a hub. */
async function readJoinKey(root: string): Promise<HubPlace["proof"]> {
  const text = (await readShared(root, joinKeyPath))?.trim();
  if (text === undefined || text === "") return undefined;
  return { kind: "key", key: Buffer.from(text, "base64") };
}

/** As pasted: blanks and ends of lines are none of it; of a fingerprint also OpenSSL's `sha256 Fingerprint=`, and its colons may be missing. */
const pasted = (text: string) => text.replaceAll(/\s/g, "");
function pastedFingerprint(text: string): string {
  const hex = pasted(text).replace(/^.*=/, "");
  return /^[0-9a-f]{64}$/i.test(hex) ? (hex.match(/../g) ?? []).join(":") : hex;
}

/** What `proven-agent join` was told. Returns what is wrong with it, or undefined when it is stored (mode 0600). */
export function storeJoin(stateDir: string, words: { url: string; fingerprint: string; token: string }): string | undefined {
  const url = pasted(words.url);
  const fingerprint = pastedFingerprint(words.fingerprint);
  const token = pasted(words.token);
  if (!hubUrlPattern.test(url) || !URL.canParse(url)) return `not a hub's address: ${url} (wss://host:8420/agent)`;
  if (!fingerprintPattern.test(fingerprint)) return "the fingerprint must be the certificate's SHA-256, AA:BB:… (32 pairs)";
  if (token === "" || token.length > 200) return "the token must have 1 to 200 characters";
  writePrivate(joinPath(stateDir), `${JSON.stringify({ url, fingerprint, token })}\n`);
  rmSync(joinedPath(stateDir), { force: true });
  rmSync(pinsPath(stateDir), { force: true });
  return undefined;
}

/** Which hub, by its fingerprint, has welcomed this agent: it knows our key, no proof is needed. */
export function readJoined(stateDir: string): string | undefined {
  return readIfThere(joinedPath(stateDir))?.trim();
}

/** After a welcome. A token was good for once: it goes. */
export function writeJoined(stateDir: string, fingerprint: string): void {
  if (readJoined(stateDir) !== fingerprint) writePrivate(joinedPath(stateDir), `${fingerprint}\n`);
  const stored = readIfThere(joinPath(stateDir));
  if (stored === undefined) return;
  const { token, ...rest } = joinFile.parse(JSON.parse(stored));
  if (token !== undefined && rest.fingerprint.toUpperCase() === fingerprint)
    writePrivate(joinPath(stateDir), `${JSON.stringify(rest)}\n`);
}
