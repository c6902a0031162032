import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { syncPath } from "./store/sync-path.ts";

/*
 * Files of the state directory. It belongs to the hub's user, and root's commands (setup, certificate, join-key) write there, too: were they to follow
 * a link that somebody who has the hub's user laid there, they would write or give away a file of root's.
 */

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const isRoot = () => process.getuid?.() === 0;

/** Puts a file that only the owner of `dir` can read in the place of whatever has that name, durably. */
export function replaceOwned(dir: string, path: string, text: string): void {
  const next = `${path}.new`;
  rmSync(next, { force: true });
  const file = openSync(next, "wx", 0o600);
  try {
    // A disk that is nearly full takes a part without an error: this writes on until all is taken or refused.
    writeFileSync(file, text);
    giveAway(dir, file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
  syncPath(dirname(path));
}

/** Text of a file that lies there itself; undefined: none does. */
export function readOwned(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, "utf8") : undefined;
}

/** What root left of his own belongs to whom the directory belongs to. Nobody else's call changes anything. @throws Error for a link */
export function giveToOwnerOf(dir: string, path: string): void {
  if (isRoot() && lstatSync(path).uid !== statSync(dir).uid) withOwn(path, (file) => giveAway(dir, file));
}

/** Readable by its owner only. A link stays what it is: whoever laid it sees to what it leads to. @throws Error for a file of two names */
export function makePrivate(path: string): void {
  const stat = lstatSync(path);
  if (!stat.isFile() || (stat.mode & 0o777) === 0o600) return; // a path unit takes any touch for a change
  withOwn(path, (file) => fchmodSync(file, 0o600));
}

function giveAway(dir: string, file: number): void {
  const { uid, gid } = statSync(dir);
  if (isRoot()) fchownSync(file, uid, gid);
}

/** By a descriptor, so that what was looked at is what is changed. */
function withOwn(path: string, change: (file: number) => void): void {
  if (!lstatSync(path).isFile()) throw linkProblem(path);
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.nlink !== 1) throw linkProblem(path);
    change(file);
  } finally {
    closeSync(file);
  }
}

const linkProblem = (path: string) => new Error(`${path} is a link: put the file itself there`);
