import type { PbsVerify, SnapshotVerdict } from "#protocol/operations.ts";
import type { CheckRecord, RestoreCheck, RestoreTest } from "#protocol/restore.ts";
import type { Clock, Log, RunCommand } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";

/** What restore tests ask of the node. main.ts and tests supply it; agent/sandbox, agent/checks and agent/integrity implement it. */

/** A bridge without ports and what lives at it. `bridge` is a device name of at most 15 characters, `name` the sandbox' own. */
export type SandboxHandle = { name: string; bridge: string; netns: string };

/** It was made; it was there and whole; or of it only the bridge was there, with what is plugged into it, and the rest was made anew. */
export type SandboxTaken = "made" | "joined" | "rebuilt";

export interface Sandboxes {
  /** What this node lacks to have any, and how to get it; undefined: nothing. Changes nothing. */
  missing(): Promise<string | undefined>;
  /** Makes it, or joins the one of that name, which it mends. Whoever opens it closes it; the last one removes it. */
  open(
    name: string,
    operation: string,
  ): Promise<{ ok: true; sandbox: SandboxHandle; how: SandboxTaken } | { ok: false; problem: string }>;
  /** Undefined: gone, or still used by others. Else what is left of it. */
  close(name: string, operation: string): Promise<string | undefined>;
  /**
   * From now on these network devices, on its bridge, speak with the sandbox only and with no other card: a guest that bridges its own cards would
   * make a loop. Until the operation closes it. Undefined: done.
   */
  part(sandbox: SandboxHandle, operation: string, devices: readonly string[]): Promise<string | undefined>;
  /**
   * Waits until one of these cards speaks on the bridge, and makes its address reachable from the sandbox: a DHCP lease, or the address it has of
   * itself. MACs in upper case. `own`: addresses that its configuration gives it, which are asked for, as a guest that has one may say nothing of
   * itself. Undefined: it said nothing within the time.
   */
  addressOf(
    sandbox: SandboxHandle,
    macs: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
    own?: readonly string[],
  ): Promise<string | undefined>;
  /** Removes what a dead agent left: bridges, namespaces, processes that are provably ours and that none of `inUse` uses. What could not be removed. */
  reap(inUse: ReadonlySet<string>): Promise<string[]>;
}

/** The guest under test as its checks see it. `address` is reachable inside `sandbox` only; undefined: it has none, or no link. */
export type CheckTarget = {
  vmid: number;
  type: "qemu" | "lxc";
  sandbox: SandboxHandle | undefined;
  address: string | undefined;
  /** The guest agent answered, or the container runs. */
  inside: boolean;
};

/** Runs one check once or until its time is over. A check that can't run here is `skipped` with its reason, never failed and never passed. */
export type RunCheck = (check: RestoreCheck, target: CheckTarget, signal: AbortSignal) => Promise<CheckRecord>;

/** What reading a backup to its end proved. `not-checked`: nothing in it can prove its bytes, and nothing contradicted them. */
export type IntegrityResult = {
  state: "verified" | "damaged" | "not-checked" | "unreadable";
  by?: "pbs-verify" | "compressor-checksum" | "own-sha256";
  reason: string;
  bytes?: number;
  /** Where several backups were verified: what became of each. */
  snapshots?: readonly SnapshotVerdict[];
  log: readonly string[];
};
export type CheckIntegrity = (
  backup: RestoreTest["backup"] & { type: "qemu" | "lxc" },
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
) => Promise<IntegrityResult>;
/** Has the Backup Server behind a storage verify a guest's backups, a namespace or the whole datastore. */
export type VerifyPbs = (what: Omit<PbsVerify, "volid">, signal: AbortSignal) => Promise<IntegrityResult>;

/** The node's own limits, from `[restore_test]` of agent.toml. The hub can't widen them. */
export type RestoreLimits = {
  enabled: boolean;
  vmids: { first: number; last: number };
  /** Storages that may take the disks of test guests; empty: those of the backed-up guest's disks. */
  storages: readonly string[];
  /** Most memory of one test guest, MiB. */
  memoryMib: number;
  /** Memory of the node that must stay free, MiB. */
  reserveMib: number;
  parallel: number;
  /** Longest time a guest may be kept, s. */
  keepSec: number;
  /** Most that a restore may read of a backup, KiB/s as PVE counts; undefined: PVE's own limits. */
  bwlimitKib: number | undefined;
  /** Pool of test guests; undefined: none. */
  pool: string | undefined;
};

export type RestorePorts = {
  node: string;
  /** Everything below is read with this prefix. */
  root: string;
  api: PveApi;
  run: RunCommand;
  sandboxes: Sandboxes;
  check: RunCheck;
  integrity: CheckIntegrity;
  verifyPbs: VerifyPbs;
  limits: RestoreLimits;
  clock: Clock;
  log: Log;
};
