import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { debianPeer, freePort, RunningPeer } from "./debian-peer.ts";
import { temporaryDir } from "./temporary-dir.ts";

export type Point = readonly [atMs: number, value: number];

/** A real time series engine on 127.0.0.1 with a directory of its own, gone when the test ends. It can be stopped and started again. */
export interface MetricPeer {
  readonly url: string;
  readonly writeUrl: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Samples of an exact selector up to `atMs`, within `windowMs` before, of every series found. */
  samples(selector: string, atMs: number, windowMs: number): Promise<{ labels: Record<string, string>; points: Point[] }[]>;
  /** What the engine says a selector is worth at an instant: empty where it is stale. */
  valueAt(selector: string, atMs: number): Promise<number[]>;
}

export const prometheus = debianPeer("prometheus", "prometheus");
export const promtool = debianPeer("prometheus", "promtool");
export const victoriaMetrics = debianPeer("victoria-metrics", "victoria-metrics");

/** Undefined: it can run. Else the reason, as node:test's `skip` takes it. */
export const skipWithout = (...peers: { problem?: string | undefined }[]) =>
  peers.find(({ problem }) => problem !== undefined)?.problem ?? false;

/** `scrape`: YAML of `scrape_configs`. */
export async function startPrometheus(t: TestContext, scrape = "[]"): Promise<MetricPeer> {
  const [directory, port] = [temporaryDir(t), await freePort()];
  writeFileSync(join(directory, "prometheus.yml"), `scrape_configs: ${scrape}\n`);
  const args = [
    `--config.file=${directory}/prometheus.yml`,
    `--storage.tsdb.path=${directory}/data`,
    "--storage.tsdb.retention.time=100y",
    `--web.listen-address=127.0.0.1:${port}`,
    "--web.enable-remote-write-receiver",
  ];
  return startPeer(t, `http://127.0.0.1:${port}`, () =>
    RunningPeer.start(prometheus.path ?? "", args, "Server is ready to receive web requests"),
  );
}

export async function startVictoriaMetrics(t: TestContext): Promise<MetricPeer> {
  const [directory, port] = [temporaryDir(t), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const args = [
    `-storageDataPath=${directory}/data`,
    `-httpListenAddr=127.0.0.1:${port}`,
    "-retentionPeriod=100y",
    "-search.latencyOffset=0s",
    "-memory.allowedBytes=64MB",
  ];
  const settle = async () => void (await fetch(`${url}/internal/force_flush`));
  return startPeer(t, url, () => RunningPeer.start(victoriaMetrics.path ?? "", args, "started VictoriaMetrics in"), settle);
}

type Answer = { data: { result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[] } };

async function startPeer(
  t: TestContext,
  url: string,
  run: () => Promise<RunningPeer>,
  /** Makes what was written visible to queries. */
  settle: () => Promise<void> = async () => undefined,
): Promise<MetricPeer> {
  let running: RunningPeer | undefined;
  const start = async () => {
    running = await run();
    // VictoriaMetrics says that it has started before it listens.
    const answers = () =>
      fetch(`${url}/api/v1/labels`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await answers())) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const stop = async () => {
    await running?.stop();
    running = undefined;
  };
  await start();
  t.after(stop);
  const ask = async (query: string, atMs: number) => {
    await settle();
    const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time: String(atMs / 1000), nocache: "1" })}`);
    if (!answer.ok) throw new Error(`${query}: ${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as Answer).data.result;
  };
  return {
    url,
    writeUrl: `${url}/api/v1/write`,
    start,
    stop,
    samples: async (selector, atMs, windowMs) =>
      (await ask(`${selector}[${windowMs}ms]`, atMs)).map(({ metric, values }) => ({
        labels: metric,
        // VictoriaMetrics shows the marks at which a series ends.
        points: (values ?? []).flatMap(([at, value]) =>
          value === "NaN" ? [] : [[Math.round(at * 1000), Number(value)] as const],
        ),
      })),
    valueAt: async (selector, atMs) => (await ask(selector, atMs)).map(({ value }) => Number(value?.[1])),
  };
}
