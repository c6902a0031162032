import { setImmediate as nextTurn } from "node:timers/promises";
import { softwareVersion } from "#protocol/version.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { Exposition, expositionType } from "../core/exposition.ts";
import { parseBearer } from "../core/keys.ts";
import { factRows, hubRows } from "../core/prometheus-facts.ts";
import { clusterNames, entitiesOf, type Row, seriesRows } from "../core/prometheus-series.ts";
import { Refusal } from "../core/refusal.ts";
import { hashSecret, sameSecret } from "../secret-text.ts";
import type { Authenticator } from "./auth.ts";
import { sightOf } from "./clusters.ts";
import type { HubApp } from "./env.ts";
import type { HttpPorts } from "./ports.ts";

export type MetricsPorts = Pick<
  HttpPorts,
  | "reader"
  | "live"
  | "clock"
  | "pictures"
  | "agents"
  | "counters"
  | "refused"
  | "problems"
  | "startedAt"
  | "scrapeToken"
  | "moreRows"
  | "restore"
>;

/** Entities between two breaths: a large exposition must not hold up ingest. */
const entitiesPerTurn = 200;

/** `GET /metrics[?cluster=<id or name>]` in Prometheus' text format. */
export function metricsRoute(app: HubApp, ports: MetricsPorts, authenticator: Pick<Authenticator, "middleware">): void {
  app.get(
    "/metrics",
    async (c, next) => {
      if (isScrapeToken(ports.scrapeToken, parseBearer(c.req.header("Authorization")))) return next();
      return authenticator.middleware(c, next);
    },
    async (c) => {
      const exposition = await expose(ports, chosen(ports.pictures(), c.req.query("cluster")));
      return c.body([...exposition.write()].join(""), 200, { "Content-Type": expositionType });
    },
  );
}

function chosen(pictures: readonly ClusterPicture[], wanted: string | undefined): readonly ClusterPicture[] {
  if (wanted === undefined) return pictures;
  const found = pictures.filter(({ cluster, name }) => cluster === wanted || name === wanted);
  if (found.length === 1) return found;
  if (found.length > 1) throw new Refusal("conflict", `several clusters are called ${wanted}: give the id`, { field: "cluster" });
  throw new Refusal("not-found", `there is no cluster ${wanted}`, { field: "cluster" });
}

async function expose(ports: MetricsPorts, pictures: readonly ClusterPicture[]): Promise<Exposition> {
  const exposition = new Exposition();
  const now = ports.clock.now();
  const sight = sightOf(ports);
  for (const names of clusterNames(pictures, now)) {
    exposition.addAll(factRows(sight, names));
    let count = 0;
    for (const { entity, node } of entitiesOf(names.picture, now)) {
      exposition.addAll(seriesRows(sight, names, entity, node));
      if (++count % entitiesPerTurn === 0) await nextTurn();
    }
  }
  exposition.addAll(hubMetricRows(ports));
  exposition.addAll(ports.moreRows?.() ?? []);
  return exposition;
}

/** The hub's own figures, from the same ports as its health. */
export function hubMetricRows(
  ports: Pick<MetricsPorts, "live" | "clock" | "agents" | "counters" | "refused" | "problems" | "startedAt">,
): Row[] {
  const newest = ports.live.newestFrameOfAll();
  return hubRows({
    version: softwareVersion,
    startedAt: ports.startedAt,
    agents: ports.agents(),
    newestSampleAgeMs: newest === undefined ? null : ports.clock.now() - newest,
    problems: ports.problems(),
    counters: { ...ports.counters(), refused: ports.refused() },
  });
}

/** Hashes are compared, so that the time taken tells neither the token's length nor a part of it. */
function isScrapeToken(token: string | undefined, shown: string | undefined): boolean {
  if (token === undefined || shown === undefined) return false;
  return sameSecret(Buffer.from(hashSecret(token)), Buffer.from(hashSecret(shown)));
}
