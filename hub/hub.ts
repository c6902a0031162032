import type { Server } from "node:https";
import { type AddressInfo, isIPv6 } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { softwareVersion } from "#protocol/version.ts";
import { Agenda } from "./agenda.ts";
import { assembleHub, type HubParts } from "./assembly.ts";
import { startDecisions, startUpkeep } from "./background.ts";
import { addressToAsk } from "./core/connections.ts";
import { createHubServer, listen } from "./https-server.ts";

export type RunningHub = {
  url: string;
  port: number;
  /** Acknowledges what is durable, closes every connection and the stores; at most about 5 s. */
  stop(): Promise<void>;
};

const drainMs = 5000;

/** Serves, and runs what runs in the background. @throws what listening threw (`EADDRINUSE` …). */
export async function startHub(parts: HubParts): Promise<RunningHub> {
  const { log, state, series, config, certificate } = parts;
  const assembly = assembleHub(parts);
  const { app, door, link, watch, journal, exchange, ingest, outlets, delivery, certificates } = assembly;
  const answer = getRequestListener(app.fetch);
  const server = createHubServer(certificate, (request, response) => {
    if (!door.take(request, response)) void answer(request, response);
  });
  link.attach(server);
  await listen(server, { port: config.port, host: config.listen });
  journal.emit("hub.started", { version: softwareVersion });
  delivery.start();
  state.started();
  certificates.onPins = (fingerprints) => link.sendPinsToAll(fingerprints);
  certificates.onSwitch = ({ cert, key, fingerprint }) => {
    server.setSecureContext({ cert, key, minVersion: "TLSv1.2" });
    log(5, `new connections are shown the new certificate ${fingerprint}`);
  };
  // One for all: what is due together shares a wake-up.
  const agenda = new Agenda(parts);
  const decisions = startDecisions(parts, assembly, agenda);
  const upkeep = startUpkeep(parts, assembly, agenda);
  const stop = async () => {
    await decisions.stop();
    await link.drain(drainMs);
    await closeServer(server);
    await upkeep.stop();
    watch.close();
    journal.emit("hub.stopped", {});
    ingest.stop();
    await outlets.stop();
    await delivery.stop();
    await exchange.stop();
    await series.close();
    await state.close();
  };
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const host = addressToAsk(config.listen);
  return { url: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`, port, stop };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
