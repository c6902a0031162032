/** One line of a task's log as PVE's API tells it: `n` counts from 1. */
export type LogLine = { n: number; t: string };

/**
 * How far a VM's restore is (0 … 1), from what its task printed: `progress 42% (read 563740672 bytes, duration 5 sec)`, of `vma extract` in
 * pve-qemu. Undefined: no line says so, as in a container's restore, whose tar prints nothing on its way.
 */
export function restoreFraction(lines: readonly LogLine[]): number | undefined {
  for (const { t } of lines.toReversed()) {
    const percent = /^progress (\d{1,3})% \(/.exec(t)?.[1];
    if (percent !== undefined) return Math.min(100, Number(percent)) / 100;
  }
  return undefined;
}

const restored = [
  // VMs from files, and containers: tar's own words.
  /^total bytes read:? (\d+)/i,
  // A VM's disk from a Backup Server, one line each (pbs-restore of pve-qemu; known from its source, never recorded).
  /^restore image complete \(bytes=(\d+),/,
];

/** Bytes that a restore wrote, as its task told at the end; undefined: it did not say, as for a container from a Backup Server. */
export function restoredBytes(log: readonly string[]): number | undefined {
  const told = log.flatMap((line) => restored.flatMap((pattern) => pattern.exec(line)?.[1] ?? []));
  return told.length === 0 ? undefined : told.reduce((sum, bytes) => sum + Number(bytes), 0);
}
