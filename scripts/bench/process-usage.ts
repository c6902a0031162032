import { readdirSync, readFileSync } from "node:fs";

/** What a process and all its living descendants have used since they started, from /proc. */
export type Usage = {
  /** User and system time, seconds; children that ended and were waited for included. */
  cpuSec: number;
  /** Of these, the time of children that have ended. */
  endedChildrenSec: number;
  /** Voluntary context switches of all threads: how often it woke up. */
  wakeups: number;
  /** Bytes it caused to be written to the block layer, cancelled ones (deleted before they were written) taken off. */
  writtenBytes: number;
  threads: number;
  processes: number;
};

/** MB = 10^6 bytes. */
export type Memory = { anonMb: number; pssMb: number; rssMb: number };

/** USER_HZ, the unit of times in /proc/<pid>/stat; it is 100 on every Linux port that Debian has. */
const ticksPerSec = 100;

/** A process that has ended reads as empty. */
function readProc(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

const field = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);

/** The process itself first, then its living descendants. */
export function processTree(pid: number): number[] {
  const children = listThreads(pid).flatMap((thread) => readProc(`/proc/${pid}/task/${thread}/children`).trim().split(" "));
  return [pid, ...children.filter((child) => child !== "").flatMap((child) => processTree(Number(child)))];
}

/** Fields 14–17 of proc(5) `stat`; the command before them may hold spaces and parentheses. */
export function parseCpuSec(stat: string): { own: number; endedChildren: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const seconds = (index: number) => Number(fields[index] ?? 0) / ticksPerSec;
  return { own: seconds(11) + seconds(12), endedChildren: seconds(13) + seconds(14) };
}

export function readUsage(pid: number): Usage {
  const usage: Usage = { cpuSec: 0, endedChildrenSec: 0, wakeups: 0, writtenBytes: 0, threads: 0, processes: 0 };
  for (const one of processTree(pid)) {
    const threads = listThreads(one);
    if (threads.length === 0) continue;
    usage.processes++;
    usage.threads += threads.length;
    const { own, endedChildren } = parseCpuSec(readProc(`/proc/${one}/stat`));
    usage.cpuSec += own + endedChildren;
    usage.endedChildrenSec += endedChildren;
    const io = readProc(`/proc/${one}/io`);
    usage.writtenBytes += field(io, "write_bytes") - field(io, "cancelled_write_bytes");
    for (const thread of threads)
      usage.wakeups += field(readProc(`/proc/${one}/task/${thread}/status`), "voluntary_ctxt_switches");
  }
  return usage;
}

/** Sums of the whole tree, from `smaps_rollup`. */
export function readMemory(pid: number): Memory {
  const memory: Memory = { anonMb: 0, pssMb: 0, rssMb: 0 };
  for (const one of processTree(pid)) {
    const rollup = readProc(`/proc/${one}/smaps_rollup`);
    const mb = (name: string) => (field(rollup, name) * 1024) / 1e6;
    memory.anonMb += mb("Pss_Anon");
    memory.pssMb += mb("Pss");
    memory.rssMb += mb("Rss");
  }
  return memory;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Longer than the period of anybody's background work: the hub looks every 30 s. */
const quietMs = 36_000;
const lookMs = 2_000;

/** Waits until the process used less than 5 % of a CPU for 36 s, so that background work is part of the account. */
export async function settle(pid: number, atMostMs: number): Promise<void> {
  const until = performance.now() + atMostMs;
  for (let quiet = 0; quiet < quietMs / lookMs && performance.now() < until; ) {
    const before = readUsage(pid).cpuSec;
    await sleep(lookMs);
    quiet = readUsage(pid).cpuSec - before < 0.1 ? quiet + 1 : 0;
  }
}
