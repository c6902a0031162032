import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { errorMessage } from "../core/error.ts";
import type { DebFile } from "./deploy.ts";
import { DeployProblem } from "./problem.ts";

const debName = /^(?<name>[a-z0-9][a-z0-9+.-]+)_(?<version>[0-9][A-Za-z0-9.+~-]*)_(?<architecture>[a-z0-9-]+)\.deb$/;

/** Reads one by its path; its name says what it is, as dpkg-deb names files. @throws DeployProblem */
function readDeb(path: string, mayHold: (owner: Owner) => boolean = () => true): DebFile {
  const parts = debName.exec(basename(path))?.groups;
  if (parts === undefined) throw new DeployProblem(`${path} is not named like a package: NAME_VERSION_ARCHITECTURE.deb`);
  const { bytes, owner } = readOrSay(path);
  if (!mayHold(owner))
    throw new DeployProblem(
      `${path} could have been made by somebody else: look at it, then chown root it and chmod 644, or name it with --package`,
    );
  if (bytes.toString("latin1", 0, 7) !== "!<arch>") throw new DeployProblem(`${path} is no Debian package`);
  return { name: basename(path), version: parts.version ?? "", architecture: parts.architecture ?? "", bytes };
}

/** The agent's package comes first; `named` are given files, without the agent's it is looked for in `folders`. @throws DeployProblem */
export function choosePackages(named: readonly string[], folders: readonly string[], version: string): [DebFile, ...DebFile[]] {
  const given = named.map((path) => readDeb(path));
  const agent = given.find(({ name }) => name.startsWith("proven-agent_")) ?? findAgent(folders, version);
  return [agent, ...given.filter((one) => one !== agent)];
}

/** Of the hub's own version: then both speak the same. */
function findAgent(folders: readonly string[], version: string): DebFile {
  const wanted = `proven-agent_${version}_all.deb`;
  const found = folders.map((folder) => join(folder, wanted)).find((path) => existsSync(path));
  if (found !== undefined) return readDeb(found, isTrusted);
  const others = folders
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((name) => /^proven-agent_.*\.deb$/.test(name));
  const hint = others.length === 0 ? "" : ` (there is ${others.join(", ")}: name it with --package to install that one)`;
  throw new DeployProblem(`${wanted} is not in ${folders.join(" or ")}${hint}: put it there, or name a file with --package`);
}

/** Who made what lies there: the uid, and whether others than he, root and we may write it. */
type Owner = { uid: number; othersWrite: boolean };

/** The node's root is going to run it. The folder belongs to the hub's user: what is of his making, or of others', is not taken unseen. */
const isTrusted = ({ uid, othersWrite }: Owner) => !othersWrite && (uid === 0 || uid === process.getuid?.());

function readOrSay(path: string): { bytes: Buffer; owner: Owner } {
  try {
    const file = openSync(path, "r");
    try {
      const { uid, gid, mode } = fstatSync(file);
      const groupsOfOthers = gid === 0 || gid === process.getgid?.() ? 0 : 0o020;
      return { bytes: readFileSync(file), owner: { uid, othersWrite: (mode & (0o002 | groupsOfOthers)) !== 0 } };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new DeployProblem(`${path} can't be read: ${errorMessage(error)}`, { cause: error });
  }
}
