/**
 * Growth of a counter between two readings. A counter that went down was reset (a restart, or a value that wrapped): then nothing is known
 * about the time in between, and the answer is NaN, never a negative or a huge step.
 */
export function counterDelta(before: number, after: number): number {
  return after >= before ? after - before : Number.NaN;
}

/** The `cpu` line of /proc/stat, in clock ticks since boot. Guest time is part of user and nice. */
export type CpuTicks = {
  user: number;
  nice: number;
  system: number;
  idle: number;
  iowait: number;
  irq: number;
  softirq: number;
  steal: number;
};

export type CpuShares = { cpu: number; iowait: number; steal: number };

const unknownShares: CpuShares = { cpu: Number.NaN, iowait: Number.NaN, steal: Number.NaN };

/**
 * Shares of the time between two readings, 0 … 1 of all threads. As PVE counts (`read_proc_stat` in pve-common `PVE/ProcFSTools.pm`), waiting
 * for I/O is not use, and stolen time is. The kernel may take some iowait back: one field that went down makes only its own share unknown.
 */
export function cpuShares(before: CpuTicks | undefined, after: CpuTicks): CpuShares {
  if (before === undefined) return unknownShares;
  const total = counterDelta(sum(before), sum(after));
  if (!(total > 0)) return unknownShares;
  const idle = counterDelta(before.idle + before.iowait, after.idle + after.iowait);
  return {
    cpu: clamp(1 - idle / total),
    iowait: clamp(counterDelta(before.iowait, after.iowait) / total),
    steal: clamp(counterDelta(before.steal, after.steal) / total),
  };
}

const sum = (ticks: CpuTicks) =>
  ticks.user + ticks.nice + ticks.system + ticks.idle + ticks.iowait + ticks.irq + ticks.softirq + ticks.steal;

const clamp = (share: number) => Math.min(1, Math.max(0, share));
