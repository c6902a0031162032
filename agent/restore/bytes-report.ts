import type { ArchiveReport, Operation, OperationResult } from "#protocol/operations.ts";
import type { IntegrityResult, RestorePorts } from "./ports.ts";

type Asked = Extract<Operation, { kind: "archive-check" | "pbs-verify" }>;

/** Checks a backup's bytes, or has the Backup Server check those of many, and reports what that proved. */
export async function checkBytes(
  ports: Pick<RestorePorts, "integrity" | "verifyPbs" | "clock">,
  { kind, params }: Asked,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<OperationResult> {
  const { storage, volid } = params;
  const startedAt = ports.clock.now();
  const backup = { storage, ...(volid !== undefined && { volid }) };
  const result =
    volid === undefined
      ? await ports.verifyPbs(params, signal)
      : await ports.integrity({ storage, volid, type: typeOf(volid) }, onProgress, signal);
  const endedAt = ports.clock.now();
  return { kind, report: { backup, ...reportOf(result), startedAt, endedAt } };
}

const typeOf = (volid: string) => (/(?:vzdump-lxc-|:backup\/ct\/)/.test(volid) ? "lxc" : "qemu");

function reportOf(result: IntegrityResult): Omit<ArchiveReport, "backup" | "startedAt" | "endedAt"> {
  const { state, by, reason, bytes, snapshots, log } = result;
  return {
    state,
    ...(by !== undefined && { by }),
    reason,
    ...(bytes !== undefined && { bytes }),
    ...(snapshots !== undefined && { snapshots: [...snapshots] }),
    log: log.slice(-100).map((line) => line.slice(0, 1000)),
  };
}
