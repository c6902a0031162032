import { parseColumns } from "../columns.ts";
import { type Context, peerNames, peerValue } from "../context.ts";
import type { HubProcess } from "../hub-process.ts";
import type { PeerName, PeerProcess } from "../peer-process.ts";
import { type Question, questions } from "../queries.ts";
import { bestOf, median, missingRow, type PeerValue, quantile, type Row, ratioRow, valueRow } from "../row.ts";

/** Systems with all history in them, running. */
export type Loaded = { hub: HubProcess; peers: readonly PeerProcess[]; endMs: number };

/** Requests in a row before the next system has its turn, and such rounds. */
const burst = 25;
const rounds = 6;
/**
 * Asked of everybody before, and not counted: what is measured is a server that has run for a while. Ours and this client compile what is
 * asked often as they go.
 */
const warmUps = 200;
const coldRounds = 3;

/** Our median by the best peer's, as the issue demands it. Undefined: shown only. */
const warmBounds: Record<keyof typeof questions, number | undefined> = {
  day: 0.5,
  week: 0.3,
  month: 0.3,
  pool: 0.4,
  top: 0.15,
  year: undefined,
};

async function timed(action: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await action();
  return performance.now() - startedMs;
}

type Asked = { name: "hub" | PeerName; ask: (turn: number) => Promise<void> };

/** Everybody who is asked this question. */
function asked(question: Question, { hub, peers, endMs }: Loaded): Asked[] {
  const { peer: path } = question;
  const ours: Asked = {
    name: "hub",
    ask: async (turn) => {
      const request = question.hub(turn, endMs);
      if (request.kind === "range") await hub.query(request.query);
      else await hub.top(request.query);
    },
  };
  if (path === undefined) return [ours];
  return [
    ours,
    ...peers.map((peer): Asked => ({ name: peer.name, ask: async (turn) => void (await peer.get(path(turn, endMs))) })),
  ];
}

/** A fast answer without data would be no answer: asks once and looks. Returns what is wrong, or undefined. */
async function answerProblem(question: Question, { hub, endMs }: Loaded): Promise<string | undefined> {
  const request = question.hub(3, endMs);
  if (request.kind === "top") {
    const places = parseColumns(await hub.top(request.query)).length;
    return places === question.points ? undefined : `${places} of ${question.points} guests in the answer`;
  }
  const series = parseColumns(await hub.query(request.query));
  const least = Math.min(...series.map(({ columns }) => present(Object.values(columns)[0])));
  const wanted = request.query.series.length;
  if (series.length !== wanted) return `${series.length} of ${wanted} series in the answer`;
  return least >= question.points * 0.98 ? undefined : `${least} of ${question.points} points in the answer`;
}

/** The same look at what a peer says: series of a matrix with their points, or places of a vector. */
export function peerAnswerProblem(question: Question, wantedSeries: number, body: string): string | undefined {
  const { data } = JSON.parse(body) as { data: { resultType: string; result: { values?: unknown[] }[] } };
  const { result, resultType } = data;
  if (resultType === "vector") {
    return result.length === question.points ? undefined : `${result.length} of ${question.points} places in the answer`;
  }
  if (result.length !== wantedSeries) return `${result.length} of ${wantedSeries} series in the answer`;
  const least = Math.min(...result.map(({ values }) => values?.length ?? 0));
  return least >= question.points * 0.98 ? undefined : `${least} of ${question.points} points in the answer`;
}

/** Of everybody who will be asked; named where it is a peer's. */
async function anyAnswerProblem(question: Question, loaded: Loaded): Promise<string | undefined> {
  const ours = await answerProblem(question, loaded);
  if (ours !== undefined || question.peer === undefined) return ours;
  const request = question.hub(3, loaded.endMs);
  const series = request.kind === "range" ? request.query.series.length : question.points;
  for (const peer of loaded.peers) {
    const body = await peer.get(question.peer(3, loaded.endMs));
    const problem = peerAnswerProblem(question, series, body.toString());
    if (problem !== undefined) return `${peer.name}: ${problem}`;
  }
  return undefined;
}

const present = (column: Float64Array | undefined) => column?.filter((value) => !Number.isNaN(value)).length ?? 0;

async function askInTurns(systems: readonly Asked[], hub: HubProcess): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(systems.map(({ name }) => [name, []]));
  await hub.prepareRequests(warmUps);
  for (const { ask } of systems) for (let turn = 0; turn < warmUps; turn++) await ask(turn);
  await hub.prepareRequests(burst * rounds);
  for (let round = 0; round < rounds; round++) {
    for (const { name, ask } of systems) {
      for (let index = 0; index < burst; index++) {
        times.get(name)?.push(await timed(() => ask(warmUps + round * burst + index)));
      }
    }
  }
  return times;
}

const peersOf = (context: Context, pick: (name: PeerName) => number | undefined): PeerValue[] =>
  peerNames.map((name) => peerValue(context, name, pick(name)));

const quantileOf = (values: readonly number[] | undefined, share: number) =>
  values === undefined || values.length === 0 ? undefined : quantile(values, share);

export async function warmRows(context: Context, loaded: Loaded): Promise<Row[]> {
  const rows: Row[] = [];
  for (const key of Object.keys(questions) as (keyof typeof questions)[]) {
    const question: Question = questions[key];
    const problem = await anyAnswerProblem(question, loaded);
    if (problem !== undefined) {
      rows.push(missingRow(`query ${question.name}, p50`, "ms", problem));
      continue;
    }
    const times = await askInTurns(asked(question, loaded), loaded.hub);
    const ours = times.get("hub") ?? [];
    const p50 = quantile(ours, 0.5);
    const p95 = quantile(ours, 0.95);
    context.say(`query ${question.name}: hub p50 ${p50.toFixed(2)} ms`);
    if (question.peer === undefined) {
      rows.push(valueRow(`query ${question.name}, p50`, "ms", p50, 10), valueRow(`query ${question.name}, p95`, "ms", p95));
      continue;
    }
    const best = bestOf(peersOf(context, (name) => quantileOf(times.get(name), 0.5)));
    rows.push(ratioRow(`query ${question.name}, p50`, "ms", p50, best, warmBounds[key]));
    rows.push(
      ratioRow(`query ${question.name}, p95`, "ms", p95, bestOf(peersOf(context, (name) => quantileOf(times.get(name), 0.95)))),
    );
    for (const { name } of loaded.peers) {
      rows.push(valueRow(`${name}: query ${question.name}, p50`, "ms", quantile(times.get(name) ?? [], 0.5)));
    }
  }
  return rows;
}

/** The first question after kill -9 with nothing in the page cache. */
export async function coldRows(context: Context, loaded: Loaded, evict: (dir: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  for (const key of ["day", "month", "pool", "top"] as const) {
    const question: Question = questions[key];
    const problem = await anyAnswerProblem(question, loaded);
    if (problem !== undefined) {
      rows.push(missingRow(`cold query ${question.name}`, "ms", problem));
      continue;
    }
    const times = new Map<string, number[]>();
    for (let round = 0; round < coldRounds; round++) {
      for (const { name, ask } of asked(question, loaded)) {
        const system = name === "hub" ? loaded.hub : loaded.peers.find((peer) => peer.name === name);
        await system?.kill();
        if (system !== undefined) evict(system.dir);
        await system?.start();
        times.set(name, [...(times.get(name) ?? []), await timed(() => ask(round * 7 + 3))]);
      }
    }
    const best = bestOf(peersOf(context, (name) => quantileOf(times.get(name), 0.5)));
    const bound = key === "month" ? 0.5 : undefined;
    rows.push(ratioRow(`cold query ${question.name}`, "ms", median(times.get("hub") ?? []), best, bound));
    for (const { name } of loaded.peers) {
      rows.push(valueRow(`${name}: cold query ${question.name}`, "ms", median(times.get(name) ?? [])));
    }
  }
  return rows;
}
