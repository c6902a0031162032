import type { EpochMs } from "#protocol/ids.ts";
import type { ProofBadge, RunView } from "#protocol/proof.ts";
import { Catalogue } from "./catalogue.ts";
import type { ClusterPicture } from "./core/cluster.ts";
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
  badge(picture: ClusterPicture, owned: OwnedGuest, now: EpochMs): ProofBadge;
};

export type RestoreParts = Pick<OperationPorts, "picture" | "takes" | "send" | "problem"> & {
  state: StateStore;
  clock: Clock;
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
    badge: (picture, { facts }, now) => badgeOf(book.proof(picture.cluster, facts.vmid), facts.identity, undefined, now),
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
