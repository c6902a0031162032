/**
 * What PVE, QEMU and LXC say when a test came to nothing for a reason of the node's: it says nothing against the backup, which is tested again. What
 * is not known here counts as the backup's failure. `recorded`: seen on a real node; the others are read from source.
 */
type Cause = readonly [pattern: RegExp, why: string];

/** Whoever ended the task meant the task: `systemctl restart pvedaemon`, Stop in the web UI, the kernel short of memory (all recorded). */
const endedFromOutside: Cause = [
  /received interrupt$|interrupted by signal$|^unexpected status$|: (got signal (2|9|15)|exit code (130|137|143))$/,
  "it was ended from outside",
];

/** `blk_pwrite` recorded; EDQUOT is 122. */
const noRoom: Cause = [
  /No space left on device|Disk quota exceeded|blk_pwrite to .*failed \(-(28|122)\)/,
  "the storage for the disks ran full",
];

/** What QEMU could not write to a disk of the copy, for another reason. */
const notWritten: Cause = [/blk_pwrite to .*failed \(-\d+\)/, "the storage for the disks could not be written"];

/** A storage that took no disk. The first two recorded; the words of the others stand in pve-storage's plugins and `PVE/Storage.pm`. */
const storageFailed: Cause = [
  /storage '[^']*' (does not exist|is not (online|activated|available on node)|is disabled)|Content type '[^']*' is not available on storage|unable to (activate storage|create image)|mount error|(lvcreate '[^']*'|rbd|rbd create '[^']*'|zfs) error|'mkfs\.[^']*' failed|cfs-lock '[^']*' error|can't lock file '/,
  "the node's storage did not do what it was asked",
];

/** Words of Rust's standard library, in which proxmox-backup-client is written; not recorded. A pipe between programs breaks for other reasons. */
const serverLost: Cause = [
  /error trying to connect|connection error: |Connection re(fused|set by peer) \(os error|(Connection|operation) timed out|No route to host \(os error/,
  "the Backup Server was lost on the way",
];

export const unansweredCause = "PVE did not answer";

const noQuorum: Cause = [/no quorum\?/, "the cluster lost its quorum"];

/** All recorded. */
const somebodyElse: readonly Cause[] = [
  [/^TASK ERROR: can't lock file|^can't lock file/, "PVE held its lock"],
  [/^(TASK ERROR: )?(CT|VM) (\d+ )?is locked \(/, "somebody else had locked it"],
  [/^(TASK ERROR: )?(CT|VM) \d+ (is )?already running/, "somebody else had started it"],
];

const starting: readonly Cause[] = [
  noQuorum,
  // qemu-server PVE/QemuServer.pm config_to_command, PVE/QemuServer/CPUConfig.pm get_custom_model.
  [/KVM virtualisation configured, but not available/, "this node can't run virtual machines by KVM"],
  [/Host doesn't support requested features/, "this node's processor lacks what the machine's CPU type asks for"],
  [/Custom cputype '.*' not found/, "its CPU type is defined on another cluster"],
  [/MAX \d+ vcpus allowed per VM on this node/, "this node has fewer processors than the machine"],
  [/is too old to run machine type|unsupported machine type/, "this node's QEMU is older than the machine"],
  [/no DRM render node detected|missing libraries for '/, "this node has no graphics as the machine's display asks for"],
  [/^start failed: .*got timeout$/, "this node was too busy to start it"],
  [/EFI base image '[^']*' not found/, "this node lacks the firmware that the machine boots from"],
  [/bridge '[^']*' does not exist/, "its sandbox was gone"],
  [/cannot set up guest memory|Cannot allocate memory/, "this node had no memory for it"],
  ...somebodyElse,
];

function causeIn(causes: readonly Cause[], texts: readonly string[]): string | undefined {
  return causes.find(([pattern]) => texts.some((text) => pattern.test(text)))?.[1];
}

/** Of a restore's task: its end status and its log's last lines. Undefined: as far as anybody can say it is the backup's failure. */
export function restoreCause(status: string, log: readonly string[]): string | undefined {
  // In the log the same words may be about what is removed after an archive was found bad.
  const atOnce = causeIn([endedFromOutside, noQuorum, storageFailed], [status]);
  return atOnce ?? causeIn([noRoom, notWritten, serverLost], [status, ...log]);
}

/** Of the start of a whole copy. */
export const startCause = (status: string, log: readonly string[]): string | undefined =>
  causeIn([endedFromOutside], [status]) ?? causeIn(starting, [status, ...log]);

/** Of a call that changes the copy, such as its strip. */
export const changeCause = (problem: string): string | undefined => causeIn([noQuorum, ...somebodyElse], [problem]);
