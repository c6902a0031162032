import { type HubConfig, section } from "./config.ts";
import type { ClusterPicture } from "./core/cluster.ts";
import type { LongRangeReader } from "./core/long-range.ts";
import { clusterNames, type Row } from "./core/prometheus-series.ts";
import type { LiveTable, SeriesReader } from "./core/series.ts";
import type { Clock, Log } from "./ports.ts";
import { readSecret } from "./secret-text.ts";
import { RemoteRead } from "./senders/remote-read.ts";
import { RemoteWrite, type RemoteWritePorts } from "./senders/remote-write/remote-write.ts";
import type { HttpProxy } from "./tunnel.ts";

export type ExchangePorts = {
  config: HubConfig;
  clock: Clock;
  log: Log;
  reader: SeriesReader;
  live: LiveTable;
  pictures(): ClusterPicture[];
  hubRows(): Row[];
  /** The way to servers outside; absent: there is no need of one. */
  proxy?: HttpProxy | undefined;
  /** What tests of backups have proven; absent: the hub tests none. */
  proofs?: RemoteWritePorts["proofs"];
};

/** What the hub has in common with other time series engines, as far as it is configured. */
export type Exchange = {
  scrapeToken: string | undefined;
  longRange: LongRangeReader | undefined;
  moreRows(): Row[];
  stop(): Promise<void>;
};

/** @throws ConfigError a file that a section names can't be read. */
export function openExchange(ports: ExchangePorts): Exchange {
  const { config, clock, log, reader, live, pictures, hubRows, proofs, proxy } = ports;
  const { metrics, remote_write, remote_read } = config;
  const token = metrics.token_file;
  const scrapeToken = token === undefined ? undefined : section("metrics", () => readSecret(token));
  const names = () => clusterNames(pictures(), clock.now());
  const remoteRead =
    remote_read === undefined ? undefined : section("remote_read", () => new RemoteRead(remote_read, names, proxy));
  const writePorts = { reader, live, pictures, hubRows, proofs, clock, log, random: Math.random, stateDir: config.state, proxy };
  const remoteWrite =
    remote_write === undefined ? undefined : section("remote_write", () => new RemoteWrite(remote_write, writePorts));
  return {
    scrapeToken,
    longRange: remoteRead,
    moreRows: () => remoteWrite?.rows() ?? [],
    stop: async () => {
      remoteRead?.close();
      await remoteWrite?.stop();
    },
  };
}
