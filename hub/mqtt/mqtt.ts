import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { IClientOptions } from "mqtt";
import type { AlertView } from "#protocol/alerting.ts";
import type { EventView } from "#protocol/api.ts";
import { softwareVersion } from "#protocol/version.ts";
import type { AlertRelay } from "../alerting/alert-feed.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { alertPayloads, entityPayloads } from "../core/mqtt-picture.ts";
import { birthTopic, eventTopic, statusTopic } from "../core/mqtt-topics.ts";
import type { LiveTable, SeriesReader } from "../core/series.ts";
import type { Clock, Log } from "../ports.ts";
import { readSecret } from "../secret-text.ts";
import type { MqttConfig } from "./config.ts";
import { BrokerConnection } from "./connection.ts";
import { Outbox } from "./outbox.ts";

export type MqttPorts = {
  clock: Clock;
  log: Log;
  random(): number;
  stateDir: string;
  reader: SeriesReader;
  live: LiveTable;
  pictures(): ClusterPicture[];
  alerts: AlertRelay;
  onEvent(listener: (event: EventView) => void): () => void;
};

/** States are looked at this often; what changed is published, nothing else. */
const tickMs = 10_000;
/** An entity that no agent lists for so long is taken out of Home Assistant. */
const goneAfterMs = 10 * 60_000;
/** So that a broker notices a hub that lost power: after one and a half of it, it tells the last will. */
const keepaliveSec = 15;
/** How long a stop waits for a broker that takes nothing. */
const goodbyeMs = 2000;

/** Tells a broker of alerts, events and states. The hub takes nothing from there but Home Assistant's word that it was started. */
export class MqttService {
  private readonly connection: BrokerConnection;
  private readonly outbox: Outbox;
  private readonly stopping = new AbortController();
  private readonly ended: Promise<unknown>;
  private readonly over = new Map<string, { alert: AlertView; clearAt: number }>();
  private readonly unlisten: (() => void)[];

  /** Reads the files that the configuration names. @throws with the file's name when one can't be read. */
  constructor(
    private readonly config: MqttConfig,
    private readonly ports: MqttPorts,
  ) {
    const { clock, log, random, stateDir, alerts, onEvent } = ports;
    const { url, prefix, discovery, discovery_prefix } = config;
    this.outbox = new Outbox({
      path: join(stateDir, "mqtt-topics.json"),
      clock,
      log,
      publish: (topic, payload, retain) => this.connection.publish(topic, payload, retain),
    });
    this.connection = new BrokerConnection({
      url,
      options: clientOptions(config),
      listenTo: discovery ? birthTopic(discovery_prefix) : undefined,
      clock,
      log,
      random,
      connected: () => this.connected(),
      heard: (topic, payload) => this.heard(topic, payload),
    });
    this.unlisten = [
      onEvent((event) => this.outbox.event(eventTopic(prefix, event.type), JSON.stringify(event))),
      alerts.onAlerts((changed) => this.alertsChanged(changed)),
    ];
    this.ended = Promise.all([this.connection.run(this.stopping.signal), this.look()]);
  }

  /** Why there is no connection, or what its broker refuses; undefined: all is well. */
  get problem(): string | undefined {
    const { problem, refusal } = this.connection;
    if (problem === "") return refusal === "" ? undefined : refusal;
    return `no connection to the MQTT broker: ${problem}`;
  }

  get isConnected(): boolean {
    return this.connection.isConnected;
  }

  /** Attempts to connect that are over. */
  get attempts(): number {
    return this.connection.attempts;
  }

  /** Says that the hub is offline, and goes. */
  async stop(): Promise<void> {
    for (const stop of this.unlisten) stop();
    const goodbye = this.outbox.settled().then(() => this.connection.publish(statusTopic(this.config.prefix), "offline", true));
    await Promise.race([goodbye, this.ports.clock.sleep(goodbyeMs)]);
    this.stopping.abort();
    await this.ended;
  }

  private connected(): void {
    this.publishStates();
    this.publishAlerts();
    this.outbox.connected({ topic: statusTopic(this.config.prefix), payload: "online" });
  }

  private heard(topic: string, payload: string): void {
    if (topic !== birthTopic(this.config.discovery_prefix) || payload !== "online") return;
    this.ports.log(6, "Home Assistant was started: telling it everything");
    this.outbox.sendAll();
  }

  private async look(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.publishStates();
      this.publishAlerts();
      await this.ports.clock.sleep(tickMs, this.stopping.signal);
    }
  }

  private publishStates(): void {
    const { reader, live, clock, pictures, alerts } = this.ports;
    const { prefix, discovery, discovery_prefix } = this.config;
    const discoveryPrefix = discovery ? discovery_prefix : undefined;
    const sight = { reader, live, now: clock.now() };
    const views = alerts.isKnown ? alerts.views() : undefined;
    const payloads = entityPayloads(sight, pictures(), views, { prefix, discoveryPrefix, softwareVersion });
    this.outbox.reconcile((topic) => !this.isAlert(topic) && topic !== statusTopic(prefix), payloads, goneAfterMs);
  }

  private alertsChanged(changed: readonly AlertView[]): void {
    const clearAt = this.ports.clock.monotonicMs() + this.config.keep_resolved_min * 60_000;
    for (const alert of changed) {
      if (alert.state === "resolved") this.over.set(alert.id, { alert, clearAt });
      else this.over.delete(alert.id);
    }
    this.publishAlerts();
  }

  private publishAlerts(): void {
    const { alerts, clock } = this.ports;
    if (!alerts.isKnown) return;
    for (const [id, { clearAt }] of this.over) if (clearAt <= clock.monotonicMs()) this.over.delete(id);
    const firing = alerts.views().filter(({ state }) => state === "firing");
    const over = [...this.over.values()].map(({ alert }) => alert);
    this.outbox.reconcile((topic) => this.isAlert(topic), alertPayloads([...over, ...firing], this.config.prefix), 0);
  }

  private isAlert(topic: string): boolean {
    return topic.startsWith(`${this.config.prefix}/alerts/`);
  }
}

function clientOptions(config: MqttConfig): IClientOptions {
  const { version, client_id, username, password_file, ca_file, cert_file, key_file, prefix } = config;
  return {
    protocolVersion: version === "5" ? 5 : 4,
    clientId: client_id,
    clean: true,
    keepalive: keepaliveSec,
    rejectUnauthorized: true,
    will: { topic: statusTopic(prefix), payload: Buffer.from("offline"), qos: 1, retain: true },
    ...(username !== undefined && { username }),
    ...(password_file !== undefined && { password: readSecret(password_file) }),
    ...(ca_file !== undefined && { ca: readFileSync(ca_file) }),
    ...(cert_file !== undefined && { cert: readFileSync(cert_file) }),
    ...(key_file !== undefined && { key: readFileSync(key_file) }),
  };
}
