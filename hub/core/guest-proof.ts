import type { Backup } from "#protocol/backups.ts";
import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import { guestKey } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import type { ProtectionState } from "#protocol/panel.ts";
import type { GuestProofView } from "#protocol/proof.ts";
import { type BackupSet, backupState, type CheckedBackup, sizeAnomaly } from "./backup-catalogue.ts";
import { includesGuest } from "./backup-due.ts";
import { guestName, type OwnedGuest } from "./inventory.ts";
import { badgeOf, isOfGuest } from "./proof.ts";
import type { ProofRecord } from "./run-record.ts";
import { sizeText } from "./sheet-text.ts";

/** What is known of one guest's backups. */
export type GuestKnowledge = {
  /** The cluster's; undefined: nobody said. */
  jobs: readonly BackupJobFacts[] | undefined;
  /** How it stands by their calendars. */
  schedule: ProtectionState;
  /** Of this guest, newest first. */
  backups: readonly { set: BackupSet; backup: Backup }[];
  /** Whether any storage of the cluster was ever listed. */
  listed: boolean;
  checked(set: BackupSet, backup: Backup): CheckedBackup | undefined;
  record: ProofRecord | undefined;
  /** Of the policy that holds it; undefined: none does. */
  policy: { everyDays: number; dueAt: EpochMs } | undefined;
  now: EpochMs;
};

type Gap = GuestProofView["gaps"][number] & { means: "no" | "unknown" | "hint" };

/** Is this guest protected, and what is proven of it? Yes takes a job, a backup in time, and a test that passed in time; what isn't known is not yes. */
export function guestProofView(cluster: ClusterId, { facts, owner }: OwnedGuest, known: GuestKnowledge): GuestProofView {
  const { backups, record, policy, now } = known;
  const proof = badgeOf(record, facts.identity, policy?.everyDays, now);
  const good = record !== undefined && isOfGuest(record, facts.identity) ? record.lastGood : null;
  const gaps = [...scheduleGaps(known, facts, owner.agent.node), ...diskGaps(facts), ...backupGaps(known), ...proofGapsOf(proof)];
  const [newest] = backups;
  const verified = backups.find(({ set, backup }) => backupState(backup, known.checked(set, backup)).state === "verified");
  return {
    cluster,
    entity: guestKey(facts.vmid),
    vmid: facts.vmid,
    type: facts.type,
    name: guestName(facts),
    node: owner.agent.node,
    tags: [...facts.tags],
    pool: facts.pool ?? null,
    protected: protectedBut(gaps),
    gaps: gaps.map(({ gap, text }) => ({ gap, text })),
    backups: backups.length,
    lastBackup:
      newest === undefined
        ? null
        : { at: newest.backup.at, storage: newest.set.storage, volid: newest.backup.volid, bytes: newest.backup.bytes ?? null },
    lastVerifiedAt: verified?.backup.at ?? null,
    proof,
    dueAt: policy?.dueAt ?? null,
    notProven: good?.notProven ?? [],
    slower: good?.slower ?? [],
  };
}

/** A guest is protected when no gap says otherwise, and nothing about it is unknown. */
function protectedBut(gaps: readonly Gap[]): GuestProofView["protected"] {
  if (gaps.some(({ means }) => means === "no")) return "no";
  return gaps.some(({ means }) => means === "unknown") ? "unknown" : "yes";
}

function scheduleGaps({ jobs, schedule }: GuestKnowledge, facts: OwnedGuest["facts"], node: string): Gap[] {
  if (jobs === undefined) return [{ gap: "jobs-unknown", means: "unknown", text: "No agent told which backup jobs there are" }];
  if (!jobs.some((job) => includesGuest(job, facts, node))) {
    return [{ gap: "no-job", means: "no", text: "No enabled backup job takes it" }];
  }
  if (schedule === "overdue") return [{ gap: "backup-overdue", means: "no", text: "A backup that was due was not made" }];
  return schedule === "failed" ? [{ gap: "backup-failed", means: "no", text: "Its newest backup failed" }] : [];
}

function diskGaps({ unprotected }: OwnedGuest["facts"]): Gap[] {
  if (unprotected === undefined)
    return [{ gap: "disks-unknown", means: "unknown", text: "No agent told which of its disks backups take" }];
  return unprotected.map(({ disk, why }) => ({
    gap: "disk-left-out",
    means: "no",
    text: why === "off" ? `Backups leave out ${disk}` : `${disk} is no volume: PVE never backs it up`,
  }));
}

function backupGaps(known: GuestKnowledge): Gap[] {
  const [newest] = known.backups;
  if (newest === undefined) {
    if (known.listed) return [{ gap: "no-backup", means: "no", text: "No storage holds a backup of it" }];
    return [{ gap: "no-backup", means: "unknown", text: "No storage was listed yet" }];
  }
  const gaps: Gap[] = [];
  const { set, backup } = newest;
  if (backupState(backup, known.checked(set, backup)).state === "failed") {
    gaps.push({ gap: "backup-unverifiable", means: "no", text: `Its newest backup is damaged: ${backup.volid}` });
  }
  if (set.problem !== null) {
    gaps.push({ gap: "backup-stale", means: "unknown", text: `Storage ${set.storage} can't be listed: ${set.problem}` });
  }
  const inSet = known.backups.filter((one) => one.set === set).map((one) => one.backup);
  const size = sizeAnomaly(inSet);
  if (size !== undefined) {
    const text = `Its newest backup has ${sizeText(size.now)}, usual are ${sizeText(size.before)}`;
    gaps.push(
      size.change === "grew" ? { gap: "size-grew", means: "hint", text } : { gap: "size-shrank", means: "unknown", text },
    );
  }
  return gaps;
}

function proofGapsOf({ state }: GuestProofView["proof"]): Gap[] {
  switch (state) {
    case "proven":
      return [];
    case "failed":
      return [{ gap: "proof-failed", means: "no", text: "Its newest restore test failed" }];
    case "overdue":
      return [{ gap: "proof-overdue", means: "unknown", text: "Its last restore test is older than its policy allows" }];
    case "never":
    case "unknown":
      return [{ gap: "never-proven", means: "unknown", text: "No restore test of it came to a good end" }];
  }
}
