import type { EventView } from "#protocol/api.ts";
import { ConfigError, type HubConfig } from "../config.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { errorMessage } from "../core/error.ts";
import type { LiveTable, SeriesReader } from "../core/series.ts";
import type { LinkServer } from "../link/server.ts";
import { MqttService } from "../mqtt/mqtt.ts";
import type { Clock, Log } from "../ports.ts";
import { AgentOutlet } from "./agent-outlet.ts";
import { AlertRelay } from "./alert-feed.ts";
import { listenersOf } from "./node-receiver.ts";

export type OutletPorts = {
  config: HubConfig;
  clock: Clock;
  log: Log;
  reader: SeriesReader;
  live: LiveTable;
  pictures(): ClusterPicture[];
  link: Pick<LinkServer, "sendAlerts">;
  onEvent(listener: (event: EventView) => void): () => void;
};

/** Who follows all alerts, whatever routes and receivers say: the agents, and a broker where one is configured. */
export type Outlets = {
  /** The alert engine attaches itself here. */
  alerts: AlertRelay;
  agents: AgentOutlet;
  mqtt: MqttService | undefined;
  stop(): Promise<void>;
};

/** @throws ConfigError a file that `[mqtt]` names can't be read. */
export function openOutlets({ link, ...ports }: OutletPorts): Outlets {
  const alerts = new AlertRelay();
  const agents = new AgentOutlet({
    alerts,
    connected: () => listenersOf(ports.pictures()),
    send: (agent, body) => link.sendAlerts(agent, body),
  });
  const mqtt = openMqtt(ports, alerts);
  return { alerts, agents, mqtt, stop: async () => await mqtt?.stop() };
}

function openMqtt(ports: Omit<OutletPorts, "link">, alerts: AlertRelay): MqttService | undefined {
  const { config } = ports;
  if (config.mqtt === undefined) return undefined;
  try {
    return new MqttService(config.mqtt, { ...ports, alerts, random: Math.random, stateDir: config.state });
  } catch (error) {
    throw new ConfigError(`mqtt: ${errorMessage(error)}`, { cause: error });
  }
}
