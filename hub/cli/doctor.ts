import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { type Finding, judgeClock, judgeDisk, judgeService } from "#protocol/findings.ts";
import { type HubConfig, namedFiles } from "../config.ts";
import { addressToAsk } from "../core/connections.ts";
import { judgeCertificate, judgeCopies, judgeNamedFiles, judgeOwners, judgePort, judgeTold } from "../core/doctor.ts";
import { certificatePath, loadCertificate } from "../tls.ts";
import { readTold } from "./setup.ts";

/** The store grows slowly; compaction and a backup need room beside it. */
const neededBytes = 1e9;

/** Looks at each of the usual troubles; changes nothing. */
export async function examine(config: HubConfig, now: number): Promise<Finding[]> {
  const { state, listen, port } = config;
  if (!existsSync(certificatePath(state))) {
    return [
      { about: "state", state: "trouble", says: `${state} holds no hub: it has never run`, remedy: "systemctl start proven-hub" },
    ];
  }
  const { bavail, bsize } = statfsSync(state);
  const { cert, fingerprint } = await loadCertificate(state, now);
  return [
    owners(state),
    ...copies(state),
    ...(await namedFilesFor(config)),
    judgeDisk(state, bavail * bsize, neededBytes),
    judgeClock(await output("timedatectl", "show", "--property=NTPSynchronized", "--value")),
    judgeService("proven-hub", await output("systemctl", "show", "--property=ActiveState", "--value", "proven-hub")),
    judgeCertificate(Date.parse(new X509Certificate(cert).validTo), now),
    judgePort(await shownAt(port, addressToAsk(listen)), fingerprint, port),
    ...(await told(config, fingerprint)),
    panel(config.panel),
  ];
}

function owners(dir: string): Finding {
  const { uid } = statSync(dir);
  // What deploy installs from is put there by root, and only read.
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => !/^packages(\/|$)/.test(name));
  const foreign = names.filter((name) => existsSync(join(dir, name)) && statSync(join(dir, name)).uid !== uid);
  return judgeOwners(dir, foreign, userName(uid));
}

async function namedFilesFor(config: HubConfig): Promise<Finding[]> {
  const { uid, gid } = statSync(config.state);
  const owner = userName(uid);
  const canRead = async (path: string) => {
    if (process.getuid?.() !== 0 || uid === 0) return isReadable(path);
    const asOwner = [`--reuid=${uid}`, `--regid=${gid}`, "--init-groups"];
    return (await output("setpriv", ...asOwner, "test", "-r", path)) !== undefined;
  };
  const files = await Promise.all(namedFiles(config).map(async (file) => ({ ...file, canRead: await canRead(file.path) })));
  return judgeNamedFiles(
    files.filter((file) => !file.canRead),
    owner,
  );
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function copies(dir: string): Finding[] {
  const kept = readdirSync(dir).filter((name) => /^(state|series)\.(version|set-aside)-[\d.]+$/.test(name));
  const bytesOf = (name: string) => statSync(join(dir, name, "data.mdb"), { throwIfNoEntry: false })?.size ?? 0;
  return judgeCopies(
    dir,
    kept.sort().map((name) => ({ name, bytes: bytesOf(name) })),
  );
}

function userName(uid: number): string {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.split(":")[2] === String(uid));
  return line?.split(":")[0] ?? String(uid);
}

/** Undefined: it isn't there, failed, or took too long. */
function output(file: string, ...args: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: 5_000 }, (error, stdout) => resolve(error === null ? stdout.trim() : undefined));
  });
}

/** Fingerprint of the certificate that whoever listens there shows. */
export function shownAt(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: 5_000 });
    const end = (fingerprint: string | undefined) => {
      socket.destroy();
      resolve(fingerprint);
    };
    socket.once("secureConnect", () => end(socket.getPeerCertificate().fingerprint256));
    for (const event of ["error", "timeout"]) socket.once(event, () => end(undefined));
  });
}

/** Nothing where this is no node of Proxmox VE. */
async function told({ join: { pmxcfs }, state }: HubConfig, fingerprint: string): Promise<Finding[]> {
  if (!existsSync(join(pmxcfs, ".version"))) return [];
  const named = readTold(pmxcfs);
  const there = named === undefined ? undefined : await shownAtUrl(named.url);
  const known = named?.next === fingerprint ? { ...named, fingerprint } : named; // agents take either
  const verdict = judgeTold(known, fingerprint, there);
  const isAnothers = there !== undefined && there !== fingerprint && there === known?.fingerprint.toUpperCase();
  return isAnothers ? [verdict] : [verdict, joinKey(pmxcfs, state)];
}

function shownAtUrl(url: string): Promise<string | undefined> {
  if (!URL.canParse(url)) return Promise.resolve(undefined);
  const { hostname, port } = new URL(url);
  return shownAt(port === "" ? 443 : Number(port), hostname.replace(/^\[|\]$/g, ""));
}

function joinKey(pmxcfs: string, stateDir: string): Finding {
  const shared = join(pmxcfs, "priv", "proven", "join.key");
  const own = join(stateDir, "join.key");
  const about = "join key";
  try {
    const isSame = existsSync(shared) && existsSync(own) && readFileSync(shared, "utf8") === readFileSync(own, "utf8");
    if (isSame) return { about, state: "ok", says: "the cluster's and the hub's are the same" };
    return {
      about,
      state: "trouble",
      says: "the cluster's and the hub's differ: no new agent can join",
      remedy: "proven-hub setup",
    };
  } catch {
    return { about, state: "unknown", says: `${shared} can't be read`, remedy: "run this as root" };
  }
}

function panel(dir: string): Finding {
  if (existsSync(join(dir, "index.html"))) return { about: "panel", state: "ok", says: dir };
  return { about: "panel", state: "trouble", says: `${dir} holds no panel`, remedy: "apt reinstall proven-hub" };
}
