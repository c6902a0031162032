import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import * as z from "zod";
import { giveToOwnerOf, readOwned, replaceOwned } from "../owned-file.ts";

/** The cluster's join key as the hub reads it. `/etc/pve/priv` is root's alone, so `setup` (run by root) puts a copy here for the hub's user. */
const keyCopy = (stateDir: string) => join(stateDir, "join.key");

export type SetupOptions = {
  pmxcfs: string;
  stateDir: string;
  url: string;
  /** Of the certificate that the hub shows. */
  fingerprint: string;
  /** Of the one that follows it. */
  next?: string | undefined;
};

/** Undefined: `setup` was never run, so agents join by token only. */
export function readJoinKey(stateDir: string): Uint8Array | undefined {
  return existsSync(keyCopy(stateDir)) ? parseJoinKey(readFileSync(keyCopy(stateDir), "utf8"), keyCopy(stateDir)) : undefined;
}

function parseJoinKey(text: string, path: string): Uint8Array {
  const key = Buffer.from(text.trim(), "base64");
  if (key.length !== 32)
    throw new Error(`${path} holds no join key (32 bytes in base64): remove it and run proven-hub setup again`);
  return key;
}

/**
 * Writes what the cluster's agents need to join by themselves: `<pmxcfs>/proven/hub.json` and `<pmxcfs>/priv/proven/join.key`. Run again it
 * changes nothing but an outdated url or fingerprint; a join key that is there stays. Returns what it did, one line each.
 */
export function setup({ pmxcfs, stateDir, url, fingerprint, next }: SetupOptions): string[] {
  if (!existsSync(pmxcfs)) {
    throw new Error(`${pmxcfs} does not exist: this is no Proxmox VE node. Let agents join with proven-hub token create`);
  }
  const hubFile = join(pmxcfs, "proven", "hub.json");
  const keyFile = joinKeyPath(pmxcfs);
  const key = existsSync(keyFile) ? readFileSync(keyFile, "utf8") : newJoinKey();
  parseJoinKey(key, keyFile);
  return [
    ...shareJoinKey(key, pmxcfs, stateDir),
    replaceFile(hubFile, `${JSON.stringify({ url, fingerprint, ...(next === undefined ? {} : { next }) })}\n`, 0o644),
  ];
}

/**
 * A new join key for the cluster: from now on the old one lets nobody in. Agents that have joined are known by their own keys and stay. Returns
 * what it did, one line each. @throws where `setup` was never run.
 */
export function rotateJoinKey({ pmxcfs, stateDir }: Pick<SetupOptions, "pmxcfs" | "stateDir">): string[] {
  if (!existsSync(joinKeyPath(pmxcfs))) throw new Error(`${joinKeyPath(pmxcfs)} does not exist: run proven-hub setup first`);
  return shareJoinKey(newJoinKey(), pmxcfs, stateDir);
}

const joinKeyPath = (pmxcfs: string) => join(pmxcfs, "priv", "proven", "join.key");
const newJoinKey = () => `${randomBytes(32).toString("base64")}\n`;

/** A crash between the two leaves keys that differ: no new agent can join then, the doctor says so, and `setup` sets it right. */
function shareJoinKey(key: string, pmxcfs: string, stateDir: string): string[] {
  return [replaceFile(joinKeyPath(pmxcfs), key, 0o600), replaceCopy(stateDir, key)];
}

function replaceCopy(stateDir: string, key: string): string {
  const path = keyCopy(stateDir);
  if (readOwned(path) === key) {
    giveToOwnerOf(stateDir, path);
    return `${path}: unchanged`;
  }
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  replaceOwned(stateDir, path, key);
  return `${path}: written`;
}

function replaceFile(path: string, text: string, mode: number): string {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return `${path}: unchanged`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, text, { mode });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw readOnlyProblem(path, error) ?? error;
  }
  return `${path}: written`;
}

/** pmxcfs refuses root, too, while the cluster has no quorum. Undefined: it is something else. */
function readOnlyProblem(path: string, error: unknown): Error | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!["EACCES", "EPERM", "EROFS"].includes(code)) return undefined;
  return new Error(
    `${path} can't be written (${code}): without quorum /etc/pve is read-only (pvecm status), and only root may write there`,
  );
}

/** `hub.json`, as far as it can be followed. */
export type Told = { url: string; fingerprint: string; next?: string | undefined };
const toldSchema = z.object({ url: z.string(), fingerprint: z.string(), next: z.string().optional() });

/** What this cluster's agents are told now. Undefined: nothing, or nothing that they could follow. */
export function readTold(pmxcfs: string): Told | undefined {
  const path = join(pmxcfs, "proven", "hub.json");
  if (!existsSync(path)) return undefined;
  try {
    return toldSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/**
 * The URL that a package's installation writes, which nobody has asked to move anything: an address that an administrator gave this hub stays, and
 * what was this machine's hub is followed by this one. `byName` is what it was told as a node by itself, which the others of a cluster made since may not resolve. Undefined: the agents are told of another hub, which is not taken away from them.
 */
export function keptUrl(told: Told | undefined, own: { fingerprint: string; url: string; byName: string }): string | undefined {
  if (told === undefined || told.url === own.byName) return own.url;
  const isOurs = [told.fingerprint, told.next].some((one) => one?.toUpperCase() === own.fingerprint);
  if (isOurs) return told.url;
  return told.url === own.url ? own.url : undefined;
}

/** `.members` of pmxcfs: `cfs_create_memberlist_msg` in pve-cluster `status.c`. A standalone node has no list. */
const membersSchema = z.object({ nodename: z.string(), nodelist: z.record(z.string(), z.object({ ip: z.string().optional() })) });

/** The address that the cluster itself uses for this node. Undefined: this is a node by itself, or none. */
export function clusterAddress(pmxcfs: string): string | undefined {
  const path = join(pmxcfs, ".members");
  const members = existsSync(path) ? membersSchema.safeParse(JSON.parse(readFileSync(path, "utf8"))) : undefined;
  return members?.success ? members.data.nodelist[members.data.nodename]?.ip : undefined;
}

/** Where a hub at `host` takes agents. */
export const agentUrl = (host: string, port: number) => `wss://${isIPv6(host) ? `[${host}]` : host}:${port}/agent`;

/** Of this machine, for hosts elsewhere: what a cluster uses first, then IPv4. A name is no use where nobody resolves it. */
export function outerAddresses(pmxcfs: string, all: ReturnType<typeof networkInterfaces> = networkInterfaces()): string[] {
  const found = Object.values(all).flatMap((each) => each ?? []);
  const outer = found.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address));
  const byFamily = ["IPv4", "IPv6"].flatMap((family) => outer.filter((one) => one.family === family));
  return [...new Set([clusterAddress(pmxcfs) ?? [], byFamily.map(({ address }) => address)].flat())];
}

/** The URL that agents of this cluster use unless one is given: by the address that the cluster itself uses, else by this machine's name. */
export const defaultUrl = (pmxcfs: string, port: number): string => agentUrl(clusterAddress(pmxcfs) ?? hostname(), port);
