import { ApiError, type Call } from "./api.ts";
import { answeringGuest, type JobContext } from "./job-handlers.ts";
import { meminfoText } from "./proc-files.ts";
import type { Guest } from "./world.ts";

/** The one file that guests have here. */
function meminfoOf({ world, now }: JobContext, guest: Guest): string {
  const { memBytes } = guest.life.spec;
  const reading = world.reading(guest, now());
  const memFree = memBytes - (reading?.memBytes ?? 0);
  const memAvailable = memFree + (reading?.pageCacheBytes ?? 0);
  return meminfoText({ memTotal: memBytes, memFree, memAvailable, swapTotal: 0, swapFree: 0 });
}

/** Why guest-file-open fails: words of QEMU's qga/commands-posix.c, commands-win32.c (with Windows' own text) and qapi/qmp-dispatch.c; never recorded. */
function openError({ life: { spec } }: Guest, file: string): string | undefined {
  if (spec.files === "disabled") return "Command guest-file-open has been disabled: the command is not allowed";
  if (spec.files === "windows") return `failed to open file '${file}': The system cannot find the path specified.`;
  return file === "/proc/meminfo" ? undefined : `failed to open file '${file}' (mode: 'r'): No such file or directory`;
}

/** file-read of qemu-server PVE/API2/Qemu/Agent.pm, which tells `bytes-read` too, though its schema does not. */
export async function readGuestFile(context: JobContext, call: Call): Promise<Record<string, unknown>> {
  const guest = await answeringGuest(context, call);
  const { file, count = 16 << 20, offset = 0, decode = 1 } = call.params;
  const error = openError(guest, String(file));
  if (error !== undefined) throw new ApiError(500, `Agent error: ${error}`);
  const rest = Buffer.from(meminfoOf(context, guest)).subarray(Number(offset));
  const read = rest.subarray(0, Number(count));
  return {
    content: read.toString(Number(decode) === 1 ? "latin1" : "base64"),
    "bytes-read": read.length,
    // QEMU's agent sees the end of a file only by reading past it.
    ...(rest.length >= Number(count) ? { truncated: 1 } : {}),
  };
}
