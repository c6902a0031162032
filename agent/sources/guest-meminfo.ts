import type { MemoryAnswer } from "../core/guest-memory.ts";
import { asFlag, asObject, asText } from "../core/values.ts";
import type { ApiResult } from "../pve/answer.ts";
import { parseMeminfo } from "./proc.ts";

/** `GET …/agent/file-read`. A machine's is 1.5 kB; QEMU's agent takes as much memory for an answer as it is asked to read. */
export const meminfoParams = { file: "/proc/meminfo", count: 16_384 } as const;

/**
 * Its answer: `{content, truncated?}` (file-read in qemu-server `PVE/API2/Qemu/Agent.pm`); never seen from a real system, the recorded one had no guest
 * agent. What is cut off, or has not both figures (Linux before 3.14), will not be better next time.
 */
export function parseMemoryAnswer(result: ApiResult): MemoryAnswer {
  if (!result.ok) return isRefusal(result.error) ? "refused" : "failed";
  const data = asObject(result.data);
  const memory = parseMeminfo(asText(data?.content) ?? "");
  const [available, free] = [memory.get("MemAvailable"), memory.get("MemFree")];
  if (asFlag(data?.truncated) || available === undefined || free === undefined) return "refused";
  return { reclaimable: Math.max(0, available - free) };
}

// Not 401: that is the ticket, and made anew.
const refusals = new Set([400, 403, 404, 501]);

/**
 * PVE itself says no (no permission, no such call), or the guest does: `Agent error: …` (check_agent_error in qemu-server `PVE/QemuServer/Agent.pm`), as
 * Windows has no such file, and where guest-file-open is disabled. A frozen agent disables it too, only for as long as that lasts.
 */
function isRefusal({ status, reason }: { status: number; reason: string }): boolean {
  if (refusals.has(status)) return true;
  return status === 500 && reason.startsWith("Agent error:") && !reason.includes("frozen");
}
