import { join } from "node:path";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { systemClock } from "../../agent/clock.ts";
import type { TickValues } from "../../agent/core/stream-encoder.ts";
import { Facts } from "../../agent/facts.ts";
import type { HubPlace } from "../../agent/hub-place.ts";
import { connectHub } from "../../agent/hub-socket.ts";
import { Link } from "../../agent/link.ts";
import type { Log } from "../../agent/ports.ts";
import { SpoolFiles } from "../../agent/spool-files.ts";
import { SpoolStore } from "../../agent/spool-store.ts";
import { newIdentity } from "./identity.ts";
import { inventoryOf } from "./inventory.ts";
import type { HubDoor } from "./link-client.ts";
import { guestSchema } from "./node-stream.ts";
import { benchCluster } from "./sinks.ts";
import { nodeNameOf, tickMs, vmidOf, Workload } from "./workload.ts";

/** The agent's spool, which also notes how long each record waited for its acknowledgement. */
class TimedSpool extends SpoolStore {
  readonly lagsMs: { recordedAtMs: number; lagMs: number }[] = [];
  private waitingSince: { seq: number; atMs: number }[] = [];

  override record(tick: TickValues, now: EpochMs): void {
    super.record(tick, now);
    this.waitingSince.push({ seq: this.lastSeq, atMs: performance.now() });
  }

  override acknowledge(seq: number): void {
    super.acknowledge(seq);
    const nowMs = performance.now();
    while (this.waitingSince[0] !== undefined && this.waitingSince[0].seq <= seq) {
      const { atMs } = this.waitingSince.shift() as { atMs: number };
      this.lagsMs.push({ recordedAtMs: atMs, lagMs: nowMs - atMs });
    }
  }
}

export type SoakAgentOptions = { index: number; guests: number; dir: string; door: HubDoor; log: Log };

/** The agent's own link, session and spool around a node of the workload: everything of an agent but the reading of a node. */
export class SoakAgent {
  readonly store: TimedSpool;
  /** Times of the recorded ticks. */
  readonly ticks: EpochMs[] = [];
  welcomes = 0;
  private readonly link: Link;
  private readonly workload: Workload;
  private readonly firstGuest: number;
  private readonly tickValues: TickValues;
  private readonly sampling = new AbortController();
  private readonly linking = new AbortController();

  constructor(private readonly options: SoakAgentOptions) {
    const { index, guests, dir, door, log } = options;
    this.firstGuest = index * guests;
    this.workload = new Workload(guests, index + 1);
    const schema = guestSchema(this.firstGuest, guests);
    this.tickValues = { schemaVersion: 1, schema: () => schema, values: () => this.workload.scaled };
    this.store = new TimedSpool(SpoolFiles.open(join(dir, "spool"), log), log);
    const node = nodeNameOf(index) as NodeName;
    const facts = new Facts();
    facts.inventory = { version: 1, inventory: inventoryOf(index, this.firstGuest, guests) };
    let joined: string | undefined;
    const place: HubPlace = {
      url: door.url,
      fingerprint: door.fingerprint,
      from: "soak",
      proof: { kind: "key", key: door.joinKey },
    };
    this.link = new Link({
      clock: systemClock,
      log: (level, message, fields) => {
        if (message === "connected to the hub" || message === "joined the hub") this.welcomes++;
        log(level, message, fields);
      },
      random: Math.random,
      identity: { ...newIdentity(), next: () => undefined, prepare: () => undefined, adopt: () => false },
      store: this.store,
      facts,
      identify: async () => ({ node, clusterId: benchCluster, clusterName: "soak" }),
      setDuties: () => undefined,
      hearAlerts: () => undefined,
      tellOutlet: async () => [],
      answerHub: async () => undefined,
      findHub: () => ({ ok: true, place }),
      connect: (to, signal) => connectHub(to.url, [to.fingerprint], signal),
      readJoined: () => joined,
      writePins: () => undefined,
      writeJoined: (fingerprint) => {
        joined = fingerprint;
      },
    });
  }

  get node(): NodeName {
    return nodeNameOf(this.options.index) as NodeName;
  }

  /** A guest whose values are compared at the end. */
  get firstVmid(): number {
    return vmidOf(this.firstGuest);
  }

  /** Samples every ten seconds, each agent at its own moment, until `stopSampling`. */
  async run(phaseMs: number): Promise<void> {
    const linking = this.link.run(this.linking.signal);
    await systemClock.sleep(phaseMs, this.sampling.signal);
    let dueMs = performance.now();
    while (!this.sampling.signal.aborted) {
      this.workload.tick();
      const at = systemClock.now();
      this.store.record(this.tickValues, at);
      this.ticks.push(at);
      await this.store.tend(systemClock.monotonicMs(), this.link.awayMs());
      dueMs += tickMs;
      await systemClock.sleep(Math.max(0, dueMs - performance.now()), this.sampling.signal);
    }
    await linking;
  }

  stopSampling(): void {
    this.sampling.abort();
  }

  stop(): void {
    this.sampling.abort();
    this.linking.abort();
  }
}
