/** What a restore's worker leaves when it is killed: found by what the kernel says of it, never by a name. */

/** `/proc/<pid>/stat`: session and start time (clock ticks since boot) of a process; the name in brackets may hold anything. proc(5). */
export function parseProcessStat(text: string): { pid: number; session: number; startTicks: number; state: string } | undefined {
  const end = text.lastIndexOf(")");
  const rest = text.slice(end + 2).split(" ");
  const pid = Number.parseInt(text, 10);
  const [state, , , session] = rest;
  const startTicks = Number(rest[19]);
  if (end < 0 || !Number.isInteger(pid) || state === undefined || !Number.isFinite(startTicks)) return undefined;
  return { pid, session: Number(session), startTicks, state };
}

/**
 * Processes of a dead worker's session. A worker leads a session of its own (seen: `Ss task UPID:…`), its pid and start stand in the UPID, and no
 * pid is given out again while a session has that number. Empty while the worker itself lives: then PVE ends them.
 */
export function orphansOf(
  worker: { pid: number; pstart: number },
  processes: readonly NonNullable<ReturnType<typeof parseProcessStat>>[],
): number[] {
  const leader = processes.find(({ pid }) => pid === worker.pid);
  if (leader !== undefined && leader.state !== "Z") return [];
  return processes
    .filter(({ pid, session, startTicks }) => session === worker.pid && pid !== worker.pid && startTicks >= worker.pstart)
    .map(({ pid }) => pid);
}

/** Mount points of /proc/mounts below a folder, innermost first. */
export function mountsBelow(mounts: string, folder: string): string[] {
  return mounts
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replace(/\\040/g, " "))
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .reverse();
}
