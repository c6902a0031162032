import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
/** flock(1): somebody else has the lock. */
const heldStatus = 75;

/**
 * Makes sure that one hub at a time works on a state directory: two would write the series store against each other. The lock is flock(2)'s on a
 * file there, which nobody but the directory's owner can open, and which the kernel drops with its process, however that ends. Node can't take one:
 * flock(1) of util-linux takes it on the open file that it inherits, and leaves it to this process. Undefined: another process has it.
 * @throws Error where it can't be known
 */
export function lockInstance(stateDir: string): { release(): void } | undefined {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const file = openSync(join(stateDir, "lock"), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  const args = ["--nonblock", "--conflict-exit-code", String(heldStatus), "3"];
  const { status, signal, error, stderr } = spawnSync("flock", args, {
    stdio: ["ignore", "ignore", "pipe", file],
    encoding: "utf8",
  });
  if (status === 0) return { release: () => closeSync(file) };
  closeSync(file);
  if (status === heldStatus) return undefined;
  const why = error?.message ?? (stderr.trim() || `flock ended with ${status ?? signal}`);
  throw new Error(`${stateDir} can't be locked: ${why}`, { cause: error });
}
