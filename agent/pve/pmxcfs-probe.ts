import { join } from "node:path";
import type { RunCommand } from "../ports.ts";

/**
 * Whether pmxcfs answers. One that hangs keeps whoever reads from it for ever, and his process with him: another process reads here, which can be given up.
 * `answers` false: who wants to end reads nothing below /etc/pve. `members`: the text of `.members`; absent: it is not mounted.
 */
export async function probePmxcfs(root: string, run: RunCommand): Promise<{ answers: boolean; members?: string }> {
  const file = await run("cat", ["--", join(root, "/etc/pve/.members")], { timeoutMs: 3_000 });
  return file.ok && file.code === 0 ? { answers: true, members: file.stdout } : { answers: file.ok };
}
