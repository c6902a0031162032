import type { EventView, StreamEvents } from "#protocol/api.ts";
import type { ClusterId } from "#protocol/ids.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import type { ReceiverPorts } from "../alerting/delivery.ts";
import type { AuditWatch } from "../audit-watch.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import type { EventFacts, EventPlace, EventType } from "../core/events.ts";
import type { LongRangeReader } from "../core/long-range.ts";
import type { Row } from "../core/prometheus-series.ts";
import type { BackupKnowledge } from "../core/protection.ts";
import type { AgentId, IngestCounters, LiveTable, SeriesRanker, SeriesReader } from "../core/series.ts";
import type { LoginPorts } from "../login-ports.ts";
import type { Clock, Log } from "../ports.ts";
import type { RestorePorts } from "../proof/restore.ts";
import type { PveIngest } from "../pve-ingest.ts";
import type { StateStore } from "../store/state.ts";

/** What the API asks of the hub. main.ts and tests supply it. */
export interface HttpPorts {
  clock: Clock;
  log: Log;
  state: StateStore;
  reader: SeriesReader & SeriesRanker;
  live: LiveTable;
  pictures(): ClusterPicture[];
  /** Of the clusters that `pictures` shows. */
  clusterIds(): ClusterId[];
  agents(): { connected: number; total: number };
  counters(): IngestCounters;
  /** Messages that were not understood, by reason. */
  refused(): Record<string, number>;
  /** Why the hub is degraded, one sentence each. */
  problems(): string[];
  journal: {
    emit<T extends EventType>(type: T, facts: EventFacts<T>, place?: EventPlace): void;
    emitRarely<T extends EventType>(about: string, type: T, facts: EventFacts<T>, place?: EventPlace): void;
    onEvent(listener: (event: EventView) => void): () => void;
  };
  onBatch(listener: (batch: Partial<Pick<StreamEvents, "nodes" | "guests" | "storages" | "gone" | "tasks">>) => void): () => void;
  /** Delivery to receivers. */
  delivery?: ReceiverPorts | undefined;
  /** The alert engine; without one there are no alerts to ask for. */
  alerting?: AlertingPorts | undefined;
  /** Proxmox VE's own notifications; without it there is no way in for them. */
  ingest?: PveIngest | undefined;
  /** Proof that backups restore; without it nothing is tested. */
  restore?: RestorePorts | undefined;
  /** Asks an agent for a new key; false: it has no session that can be asked. Without it none can. */
  renewKey?(agent: AgentId): boolean;
  /** Whether the audit log is intact; without it nobody says. */
  audit?: Pick<AuditWatch, "state" | "check"> | undefined;
  /** Signing in with a Proxmox VE account; without it only with API keys. */
  logins?: LoginPorts | undefined;
  startedAt: number;
  /** History older than the hub's own, where another engine keeps it. */
  longRange?: LongRangeReader | undefined;
  /** A secret that opens `/metrics` and nothing else: a scraper's configuration should hold no more. */
  scrapeToken?: string | undefined;
  /** Rows for `/metrics` of parts that report on themselves, such as remote write. */
  moreRows?(): Row[];
  /** What is known of backups; without it nobody can say how guests are protected. */
  backups?: BackupKnowledge | undefined;
  /** Directory of the built panel. */
  panelDir: string;
  /** Of the machine that the hub runs on: on a node of Proxmox VE it is the node's name. */
  hostName?: string | undefined;
}
