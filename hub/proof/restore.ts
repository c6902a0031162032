import type { Backup } from "#protocol/backups.ts";
import type { ClusterId, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import type { Duty } from "#protocol/messages.ts";
import type { ProtectionView } from "#protocol/panel.ts";
import type { BackupView, GuestProofView, ProofBadge, RunView } from "#protocol/proof.ts";
import type { RestoreCheck } from "#protocol/restore.ts";
import type { AlertLoopPorts } from "../alerting/alert-loop.ts";
import { type JobStart, startsOfAll, startToWaitFor } from "../core/backup-ahead.ts";
import { type BackupSet, backupView } from "../core/backup-catalogue.ts";
import { DueTimes } from "../core/backup-due.ts";
import { type ClusterPicture, spokesman } from "../core/cluster.ts";
import { guestProofView } from "../core/guest-proof.ts";
import type { OwnedGuest } from "../core/inventory.ts";
import type { RecoveryKnowledge } from "../core/node-recovery.ts";
import { badgeOf } from "../core/proof.ts";
import { newestFigures, type RestoreFigure } from "../core/restore-figures.ts";
import type { Run } from "../core/run-record.ts";
import { type EntityFacts, matcherOf } from "../core/scope.ts";
import type { AgentId, SeriesRanker, SeriesReader } from "../core/series.ts";
import { testGuestsOf } from "../core/test-guest.ts";
import { neededMs } from "../core/verify-policy.ts";
import { windowSpan } from "../core/window.ts";
import type { Journal } from "../journal.ts";
import type { SessionEvents } from "../link/session-ports.ts";
import { after, type Clock } from "../ports.ts";
import type { StateStore } from "../store/state.ts";
import { Catalogue } from "./catalogue.ts";
import { type OperationPorts, Operations } from "./operations.ts";
import { proofFacts } from "./proof-facts.ts";
import { RestoreSeries, type RestoreSeriesPorts } from "./restore-series.ts";
import { RunBook, runsKeptMs } from "./run-book.ts";
import { maintenanceOf, VerifyLoop, type VerifyPorts } from "./verify-loop.ts";

/** What the API asks of proof that backups restore. */
export type RestorePorts = {
  book: RunBook;
  operations: Operations;
  catalogue: Catalogue;
  verify: VerifyLoop;
  /** What the rules hear of it. */
  facts: NonNullable<AlertLoopPorts["proofs"]>;
  /** Runs that changed within about half a second. */
  onRuns(listener: (runs: Run[]) => void): () => void;
  viewsOfOpen(): RunView[];
  /** A test of this guest ended. */
  onProof(listener: (cluster: ClusterId, vmid: number) => void): () => void;
  badge(picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): ProofBadge;
  /** Backups of one cluster; `vmid`: of this guest only. */
  backups(picture: ClusterPicture, vmid?: number): BackupView[];
  /** Each guest of the picture with its proof, by vmid; without templates and our own test guests. */
  proofs(picture: ClusterPicture, now: EpochMs): GuestProofView[];
  /** What says which guests of a lost node come back. */
  recoveryKnowledge(picture: ClusterPicture, now: EpochMs): RecoveryKnowledge;
  /** Of a test ordered by hand that has not ended: a backup that would meet the test guest, a sentence. Undefined: none. */
  backupsMet(run: Run): string | undefined;
  /** Checks that policies define for this guest. */
  checksOf(picture: ClusterPicture, owned: OwnedGuest): RestoreCheck[];
  /** What its tests measured last. */
  figures(picture: ClusterPicture, owned: OwnedGuest): RestoreFigure[];
};

export type RestoreParts = Pick<OperationPorts, "picture" | "takes" | "send" | "problem"> &
  Pick<RestoreSeriesPorts, "store" | "identityOf"> &
  Pick<VerifyPorts, "pictures" | "timezone"> & {
    /** The hub's address as people reach it. */
    base(): string;
    dutiesOf(agent: AgentId): readonly Duty[];
    /** Windows that facts opened just now. */
    automaticWindows(): readonly { id: string; text: string }[];
    state: StateStore;
    clock: Clock;
    /** How guests stand by the calendars of their jobs. */
    protections(picture: ClusterPicture, now: EpochMs): ProtectionView[];
    journal: Pick<Journal, "emit">;
  };

export type RunningRestore = RestorePorts & {
  /** All series: of samples, and of what tests measured. */
  series: SeriesReader & SeriesRanker;
  session: Pick<SessionEvents, "operation" | "backups" | "inventory">;
  welcomed(agent: AgentId): void;
  /** To or from this agent. */
  dutiesMoved(agent: AgentId): void;
  prune(now: EpochMs): void;
};

/** Progress comes often: panels hear of it together. */
const togetherMs = 500;

/** The hub's side of restore tests: what backups there are, what was asked of agents, and what it proved. */
export function openRestore(parts: RestoreParts): RunningRestore {
  const { state, clock } = parts;
  const book = new RunBook(state);
  const catalogue = new Catalogue(state);
  const series = new RestoreSeries({ ...parts, book });
  const figures: RestorePorts["figures"] = ({ cluster }, { facts }) =>
    newestFigures(series.historyOf(cluster, facts.vmid, facts.identity));
  const operations = new Operations({ ...parts, book, holders: (...backup) => catalogue.holders(...backup) });
  const meets = backsUp(parts);
  const verify = new VerifyLoop({
    ...parts,
    book,
    catalogue,
    operations,
    backsUp: meets,
    maintenance: (facts) => maintenance(parts)(facts),
  });
  const compare: SessionEvents["inventory"] = (agent, inventory) =>
    catalogue.compare(agent, inventory, parts.dutiesOf(agent).includes("backup-jobs"));
  return {
    book,
    series,
    figures,
    operations,
    catalogue,
    onRuns: gathered(book, clock),
    viewsOfOpen: () => book.open().map((run) => book.view(run)),
    onProof: (listener) =>
      book.onRun((run) => {
        if (run.guest !== null && run.state === "finished") listener(run.cluster, run.guest.vmid);
      }),
    ...knowledgeOf({ ...parts, book, catalogue, verify }),
    verify,
    facts: proofFacts({ book, catalogue, verify, figures, base: parts.base, picture: parts.picture }),
    backupsMet: (run) => {
      const { cluster, guest, operation, policy } = run;
      const isTest = operation.kind === "restore-test" || operation.kind === "restore-plan";
      if (!isTest || guest === null || policy !== null || run.state === "finished") return undefined;
      const node = run.node ?? run.nodes[0] ?? parts.picture(cluster)?.owners.get(guest.vmid as Vmid)?.owner.agent.node;
      if (node === undefined) return undefined;
      const { lastGood, lastTest } = book.proof(cluster, guest.vmid) ?? {};
      const needMs = neededMs({ usualMs: lastGood?.durationMs ?? lastTest?.durationMs }) + operation.params.keepSec * 1000;
      return meets(cluster, node, { needMs, endBy: Number.POSITIVE_INFINITY });
    },
    checksOf: ({ cluster }, owned) => verify.checksOf(cluster, owned),
    session: {
      operation: (agent, message) => operations.heard(agent, message),
      backups: (agent, listing) => catalogue.take(agent, listing),
      inventory: compare,
    },
    welcomed: (agent) => operations.welcomed(agent),
    dutiesMoved: (agent) => {
      const known = parts.picture(agent.cluster)?.agents.get(agent.node)?.inventory;
      if (known !== undefined) compare(agent, known.inventory);
    },
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

type Knowing = Pick<RestoreParts, "protections"> & { book: RunBook; catalogue: Catalogue; verify: VerifyLoop };

/** What catalogue, jobs and tests say together. */
function knowledgeOf({
  book,
  catalogue,
  verify,
  protections,
}: Knowing): Pick<RestorePorts, "backups" | "proofs" | "badge" | "recoveryKnowledge"> {
  const checked = (set: BackupSet, { volid }: Backup) =>
    set.foreign === undefined ? book.checked(set.cluster, set.storage, volid) : undefined;
  const badge: RestorePorts["badge"] = ({ cluster }, owned, now) => {
    const { vmid, identity } = owned.facts;
    return badgeOf(book.proof(cluster, vmid), identity, verify.policyOf(cluster, owned)?.everyDays, now);
  };
  return {
    badge,
    recoveryKnowledge: (picture, now) => ({
      backupsOf: (facts) => catalogue.ofGuest(picture.cluster, facts),
      checked,
      listed: catalogue.allSets(picture.cluster).length > 0,
      badge: (owned) => badge(picture, owned, now),
      record: (vmid) => book.proof(picture.cluster, vmid),
      tests: testGuestsOf(picture, book.testGuests(picture.cluster, now)),
    }),
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
      const tests = testGuestsOf(picture, book.testGuests(picture.cluster, now));
      return [...picture.owners.values()]
        .filter(({ facts }) => !facts.template && !tests.has(facts.vmid))
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
            policy: verify.dueOf(picture.cluster, owned),
            now,
          });
        });
    },
  };
}

/** Windows are read anew at each look: they are few, and people change them. */
function maintenance({ state, clock, automaticWindows }: Pick<RestoreParts, "state" | "clock" | "automaticWindows">) {
  const now = clock.now();
  const open = state.list("window").filter(({ document }) => windowSpan(document, now).active);
  const windows = open.map(({ document }) => ({
    name: document.name,
    holds: (facts: EntityFacts) => matcherOf(document.scope)(facts, null),
  }));
  return maintenanceOf(windows, automaticWindows());
}

/** A policy asks about the same few nodes for each of its guests. */
const backupsKnownMs = 1000;

/** A guest of the node is locked by a backup, a backup task runs there, or a job of all guests starts before a test would be over. */
function backsUp({ state, clock, picture, timezone }: RestoreParts): VerifyPorts["backsUp"] {
  const due = new DueTimes(timezone);
  const backupsOf = (cluster: ClusterId, node: NodeName, now: EpochMs): { isOn: boolean; starts: JobStart[] } => {
    const known = picture(cluster);
    const owned = [...(known?.owners.values() ?? [])];
    const locked = owned.some(({ facts, owner }) => facts.lock === "backup" && owner.agent.node === node);
    const running = { cluster, node, type: "vzdump", state: "running", since: now - 86_400_000 } as const;
    const isOn = locked || state.history.tasks(running, { limit: 1, cursor: undefined }).items.length > 0;
    const jobs = known === undefined ? undefined : spokesman(known, now)?.inventory?.inventory.backupJobs;
    const nodeTimezone = known?.agents.get(node)?.inventory?.inventory.node.timezone;
    return { isOn, starts: startsOfAll(jobs ?? [], { node, timezone: nodeTimezone }, due, now) };
  };
  let knownAt = Number.NEGATIVE_INFINITY;
  const known = new Map<string, ReturnType<typeof backupsOf>>();
  return (cluster, node, needed) => {
    const now = clock.now();
    if (Math.abs(now - knownAt) >= backupsKnownMs) {
      known.clear();
      knownAt = now;
    }
    const key = `${cluster}/${node}`;
    const backups = known.get(key) ?? backupsOf(cluster, node, now);
    known.set(key, backups);
    if (backups.isOn) return `${node} makes backups now`;
    const ahead = startToWaitFor(backups.starts, needed, now);
    if (ahead === undefined) return undefined;
    const inMin = Math.max(0, Math.ceil((ahead.at - now) / 60_000));
    return `The backup job ${ahead.job} takes every guest of ${node} and starts in ${inMin} min: it would take the test guest too`;
  };
}
