import { constants, existsSync, fchownSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errorMessage } from "../core/error.ts";
import { systemClock } from "../ports.ts";
import { copyEnv } from "../store/online-copy.ts";
import { StateStore, statePath } from "../store/state.ts";
import { StoreError } from "../store/store-error.ts";
import { syncPath } from "../store/sync-path.ts";
import { UsageError } from "./command-line.ts";

/** Where root's folder is reached by a process that may not walk its path. */
const handedOver = "/proc/self/fd/3";

/**
 * Copies what the hub knows and is known by while it runs, so that the copy can stand in the place of its state directory: history, decisions with
 * their audit log and evidence, certificate, secrets. Left out is what can be had again: packages, copies from before an upgrade, and what waits for
 * another time series database. Half a copy is removed. @throws StoreError
 */
export async function backUpHub(stateDir: string, target: string): Promise<void> {
  try {
    await copyEnv(join(stateDir, "series"), join(target, "series"));
    await copyEnv(statePath(stateDir), statePath(target));
    for (const name of ownFiles(stateDir)) {
      await copyFile(join(stateDir, name), join(target, name), constants.COPYFILE_EXCL);
      syncPath(join(target, name));
    }
    syncPath(target);
  } catch (cause) {
    for (const name of readdirSync(target)) rmSync(join(target, name), { recursive: true, force: true });
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(`${stateDir} can't be saved (${errorMessage(cause)}): is there room?`, { cause });
  }
}

/** Looks at the decisions in a copy. Returns how many audited changes they have. @throws StoreError where their audit log is broken */
export async function checkSavedState(target: string): Promise<number> {
  const state = StateStore.open({ dir: target, now: systemClock.now });
  const verdict = state.verifyAudit();
  await state.close();
  if (!verdict.ok) throw new StoreError(`the audit log of ${target} is broken at entry ${verdict.seq}: ${verdict.problem}`);
  return verdict.entries;
}

/** Certificates, secrets and keys: plain files, without those that are just being written. */
const ownFiles = (stateDir: string) =>
  readdirSync(stateDir, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(new|tmp)$/.test(entry.name))
    .map(({ name }) => name);

/** Makes the folder that a backup goes to, or takes an empty one. @throws UsageError */
export function backupFolder(args: readonly string[]): string {
  const [target, ...rest] = args;
  if (target === undefined || rest.length > 0) throw new UsageError("give one directory, a new or an empty one");
  const path = resolve(target);
  if (path === handedOver) return path;
  if (!existsSync(dirname(path))) throw new UsageError(`${dirname(path)} is not there`);
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
  else if (readdirSync(path).length > 0) throw new UsageError(`${path} is not empty: a backup needs a new directory`);
  return path;
}

/** `store backup` in other words, and the folder that goes with them as the first descriptor behind the standard ones. */
export type HandedOver = { folder: number; words: string[] };

/** For root, whose folders the hub's user may not walk into: makes the folder and gives it to the owner of `stateDir`. @throws UsageError */
export function handOverFolder(args: readonly string[], stateDir: string, withConfig: readonly string[]): HandedOver {
  const path = backupFolder(args);
  const { uid, gid } = statSync(stateDir);
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  fchownSync(folder, uid, gid);
  return { folder, words: ["store", "backup", handedOver, ...withConfig] };
}
