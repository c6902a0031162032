import { constants } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { RunCommand } from "../ports.ts";
import type { CheckTarget } from "../restore/ports.ts";
import { failed, impossible, passed, quoted, type Verdict } from "./verdict.ts";

const checksFolder = "/etc/proven/checks.d";

/** Why the node's administrator did not permit this script; undefined: it may run. What others could change would run as root. */
async function whyNot(root: string, script: string): Promise<string | undefined> {
  const owner = process.getuid?.() ?? 0;
  for (const [path, isFile] of [
    [checksFolder, false],
    [`${checksFolder}/${script}`, true],
  ] as const) {
    const stat = await lstat(join(root, path)).catch(() => undefined);
    if (stat === undefined) return `${path}: not there`;
    if (isFile ? !stat.isFile() : !stat.isDirectory()) return `${path}: not a ${isFile ? "file" : "folder"}`;
    if (stat.uid !== owner) return `${path}: belongs to somebody else than root`;
    if ((stat.mode & (constants.S_IWGRP | constants.S_IWOTH)) !== 0) return `${path}: others may change it (chmod go-w)`;
    if (isFile && (stat.mode & constants.S_IXUSR) === 0) return `${path}: not executable (chmod +x)`;
  }
  return undefined;
}

/**
 * One attempt: inside the sandbox' namespace, where there is one, with `PROVEN_VMID`, `PROVEN_TYPE` and, where known, `PROVEN_ADDRESS` set and the same
 * as arguments. Exit code 0 passes, 77 is automake's word for skipped.
 */
export async function tryScript(
  { root, run }: { root: string; run: RunCommand },
  script: string,
  target: CheckTarget,
  signal: AbortSignal,
  ms: number,
): Promise<Verdict> {
  const problem = await whyNot(root, script);
  if (problem !== undefined) return impossible(problem);
  const { vmid, type, sandbox, address } = target;
  const env = { PROVEN_VMID: String(vmid), PROVEN_TYPE: type, ...(address === undefined ? {} : { PROVEN_ADDRESS: address }) };
  const words = [join(root, checksFolder, script), String(vmid), ...(address === undefined ? [] : [address])];
  const [file, ...args] = sandbox === undefined ? words : ["ip", "netns", "exec", sandbox.netns, ...words];
  const result = await run(file as string, args, { timeoutMs: ms, maxBytes: 1 << 20, env, signal });
  if (!result.ok) return failed(result.problem);
  const output = `${result.stdout}${result.stderr}`;
  if (result.code === 77) return impossible(`the script skipped itself${quoted(output)}`);
  return result.code === 0 ? passed(`exit code 0${quoted(output)}`) : failed(`exit code ${result.code}${quoted(output)}`);
}
