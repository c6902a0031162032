import type { Backup } from "#protocol/backups.ts";
import type { ClusterId, EpochMs, Vmid } from "#protocol/ids.ts";
import type { ProtectionView } from "#protocol/panel.ts";
import type { BackupView, GuestProofView, ProofBadge, RunView } from "#protocol/proof.ts";
import type { RestoreCheck } from "#protocol/restore.ts";
import { Catalogue } from "./catalogue.ts";
import { type BackupSet, backupView } from "./core/backup-catalogue.ts";
import { type ClusterPicture, spokesman } from "./core/cluster.ts";
import { guestProofView } from "./core/guest-proof.ts";
import type { OwnedGuest } from "./core/inventory.ts";
import { badgeOf } from "./core/proof.ts";
import type { Run } from "./core/run-record.ts";
import type { AgentId } from "./core/series.ts";
import type { Journal } from "./journal.ts";
import type { SessionEvents } from "./link/session.ts";
import { type OperationPorts, Operations } from "./operations.ts";
import { after, type Clock } from "./ports.ts";
import { RunBook, runsKeptMs } from "./run-book.ts";
import type { StateStore } from "./store/state.ts";

/** What the API asks of proof that backups restore. */
export type RestorePorts = {
  book: RunBook;
  operations: Operations;
  catalogue: Catalogue;
  /** Runs that changed within about half a second. */
  onRuns(listener: (runs: Run[]) => void): () => void;
  viewsOfOpen(): RunView[];
  /** A test of this guest ended. */
  onProof(listener: (cluster: ClusterId, vmid: number) => void): () => void;
  badge(picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): ProofBadge;
  /** Backups of one cluster; `vmid`: of this guest only. */
  backups(picture: ClusterPicture, vmid?: number): BackupView[];
  /** Each guest of the picture with its proof, by vmid. */
  proofs(picture: ClusterPicture, now: EpochMs): GuestProofView[];
  /** Checks that policies define for this guest. */
  checksOf(picture: ClusterPicture, owned: OwnedGuest): RestoreCheck[];
};

export type RestoreParts = Pick<OperationPorts, "picture" | "takes" | "send" | "problem"> & {
  state: StateStore;
  clock: Clock;
  /** How guests stand by the calendars of their jobs. */
  protections(picture: ClusterPicture, now: EpochMs): ProtectionView[];
  journal: Pick<Journal, "emit">;
};

export type RunningRestore = RestorePorts & {
  session: Pick<SessionEvents, "operation" | "backups">;
  welcomed(agent: AgentId): void;
  prune(now: EpochMs): void;
};

/** Progress comes often: panels hear of it together. */
const togetherMs = 500;

/** The hub's side of restore tests: what backups there are, what was asked of agents, and what it proved. */
export function openRestore(parts: RestoreParts): RunningRestore {
  const { state, clock } = parts;
  const book = new RunBook(state);
  const catalogue = new Catalogue(state);
  const operations = new Operations({ ...parts, book, holders: (...backup) => catalogue.holders(...backup) });
  return {
    book,
    operations,
    catalogue,
    onRuns: gathered(book, clock),
    viewsOfOpen: () => book.open().map((run) => book.view(run)),
    onProof: (listener) =>
      book.onRun((run) => {
        if (run.guest !== null && run.state === "finished") listener(run.cluster, run.guest.vmid);
      }),
    badge: (picture, { facts }, now) => badgeOf(book.proof(picture.cluster, facts.vmid), facts.identity, undefined, now),
    ...knowledgeOf({ ...parts, book, catalogue }),
    checksOf: () => [],
    session: {
      operation: (agent, message) => operations.heard(agent, message),
      backups: (agent, listing) => catalogue.take(agent, listing),
    },
    welcomed: (agent) => operations.welcomed(agent),
    prune: (now) => book.prune((now - runsKeptMs) as EpochMs),
  };
}

function gathered(book: RunBook, clock: Clock): RestorePorts["onRuns"] {
  const listeners = new Set<(runs: Run[]) => void>();
  const changed = new Set<string>();
  book.onRun(({ id }) => {
    if (listeners.size === 0) return;
    if (changed.size === 0) {
      after(clock, togetherMs, () => {
        const runs = [...changed].flatMap((one) => book.get(one) ?? []);
        changed.clear();
        for (const listener of listeners) listener(runs);
      });
    }
    changed.add(id);
  });
  return (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
}

type Knowing = Pick<RestoreParts, "protections"> & { book: RunBook; catalogue: Catalogue };

/** What catalogue, jobs and tests say together. */
function knowledgeOf({ book, catalogue, protections }: Knowing): Pick<RestorePorts, "backups" | "proofs"> {
  const checked = (set: BackupSet, { volid }: Backup) => book.checked(set.cluster, set.storage, volid);
  return {
    backups: ({ cluster, owners }, vmid) =>
      catalogue
        .allSets(cluster)
        .flatMap((set) =>
          [...set.backups.values()]
            .filter((backup) => vmid === undefined || backup.vmid === vmid)
            .map((backup) => backupView(set, backup, owners.get(backup.vmid as Vmid)?.facts, checked(set, backup))),
        ),
    proofs: (picture, now) => {
      const schedules = new Map(protections(picture, now).map(({ vmid, state }) => [vmid, state]));
      const jobs = spokesman(picture, now)?.inventory?.inventory.backupJobs;
      const listed = catalogue.allSets(picture.cluster).length > 0;
      return [...picture.owners.values()]
        .filter(({ facts }) => !facts.template)
        .sort((a, b) => a.facts.vmid - b.facts.vmid)
        .map((owned) => {
          const { facts } = owned;
          const record = book.proof(picture.cluster, facts.vmid);
          const backups = catalogue.ofGuest(picture.cluster, facts);
          const schedule = schedules.get(facts.vmid) ?? "unknown";
          return guestProofView(picture.cluster, owned, {
            jobs,
            schedule,
            backups,
            listed,
            checked,
            record,
            policy: undefined,
            now,
          });
        });
    },
  };
}
