/** Where each sandbox answers for every name. From the range for benchmarks (RFC 2544): nobody's production uses it. */
export const sandboxGateway = "198.18.0.1";

/** What the node gives to one restore test. */
export type Isolation = {
  operation: string;
  testVmid: number;
  source: { vmid: number; volid: string };
  /** Takes all disks. */
  storage: string;
  /** The sandbox' bridge: no ports, no way out. */
  bridge: string;
  /**
   * VMs keep the MACs that the backup names: systems that know their cards by them (netplan of cloud images, udev's rules of old) have no network
   * otherwise. Containers keep their addresses. Only in a sandbox of its own, where nobody else can have them, nor the sandbox itself take the one
   * of a guest that it has not heard yet.
   */
  keepMacs: boolean;
  /** MiB; undefined: the backup's. */
  memoryMib?: number;
  /** Processors of the node, threads counted: PVE starts no VM that has more. Absent: nobody can say. */
  cpus?: number;
  /** Joined after the restore; absent: none. */
  pool?: string;
  /** Most that the restore reads of the backup, KiB/s; absent: PVE's own limits. */
  bwlimitKib?: number;
};

/** Something of the backup that does not come along, for the plan and the record. */
export type Removed = { key: string; why: string };

/**
 * How a backup is restored so that its copy harms nobody: the parameters of the one create call, and what is taken out of the written
 * configuration before the first start. Names of keys and their order are PVE's; every value is a string, as forms carry them.
 */
export type IsolationPlan = {
  create: Readonly<Record<string, string>>;
  /** Keys that must not be in the configuration when the guest starts. Those the create call overrides are not among them. */
  strip: readonly Removed[];
  /** Drives that stay but lose what is in them: CD images. */
  empty: readonly string[];
  /** Why it can't be restored safely at all; empty: it can. */
  refusals: readonly string[];
};

/**
 * Which moment is judged. `stripped`: after the strip, when nothing but harmless keys may be left. `locked`: our lock must be there, or must not.
 * `linked`: its cards may have their link, which they only ever get on the sandbox' bridge.
 */
export type JudgedPhase = { stripped: boolean; locked: boolean; linked?: boolean };

/** A difference between what was asked and what is written. Any of them ends the test; the guest is destroyed, never started. */
export type Mismatch = { key: string; found: string; wanted: string };

/** `disk`: part of a volume's name of that guest, on every storage type PVE has (`vm-9000-disk-0`, `subvol-9000-disk-1`, `9000/vm-9000-…`). */
export function isVolumeOf(testVmid: number, storage: string, volid: string): boolean {
  const colon = volid.indexOf(":");
  if (colon < 0 || volid.slice(0, colon) !== storage) return false;
  const name = volid.slice(volid.lastIndexOf("/") + 1).slice(volid.includes("/") ? 0 : colon + 1);
  return new RegExp(`^(vm|subvol)-${testVmid}-`).test(name);
}
