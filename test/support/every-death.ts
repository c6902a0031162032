import type { RestoreTest } from "#protocol/restore.ts";
import type { Scene } from "./death-scenes.ts";
import { type Performance, perform } from "./dramas.ts";
import { type AgentEvent, type Death, deaths, type Fate, unharmed } from "./killed-agent.ts";
import { type RestoreNode, startRestoreNode } from "./restore-node.ts";

/** How often agents die in a row, and where. */
export type Manner = Scene["dies"][number];

export type Played = { performances: number; deaths: number; problems: string[] };

/** A lab is new again after so many performances: what PVE remembers of its tasks grows. */
const performancesPerLab = 40;

/** Fates one after the other; each answer is what became of the last. */
type Fates = Generator<readonly Fate[], void, Performance>;

/** Every event of it, in every way in which it can be cut short; a question only says when. */
function* everyFate(events: readonly AgentEvent[], from = 1): Generator<Fate> {
  for (let at = from; at <= events.length; at++) {
    const ways: readonly Death[] = events[at - 1]?.changes === true ? deaths : ["after"];
    for (const death of ways) yield { at, death };
  }
}

/** Somewhere in the next agent's clearing away: spread over it, the same every time. */
const spread = (at: number, way: number, over: number): Fate => ({
  at: 1 + ((at * 7 + way * 11) % over),
  death: deaths[(at + way) % deaths.length] ?? "after",
});

function* inARow(events: readonly AgentEvent[], from: number, agents: number): Fates {
  for (const fate of everyFate(events, from)) {
    if (agents > 1 && events[fate.at - 1]?.changes !== true) continue;
    const way = deaths.indexOf(fate.death);
    const more = [spread(fate.at, way, 45), spread(fate.at + 3, way, 30)].slice(0, agents - 1);
    yield [fate, ...more];
  }
}

/** Where clearing away differs: nothing made, a restore that runs, a guest that runs, one that is being destroyed. */
const turns = [/^entry intent$/, /^POST \/nodes\/\w+\/(qemu|lxc)$/, /\/status\/start$/, /^entry keep$/, /^DELETE /];

/** Each event of the agent that clears away, after such a turn of the first one's work. */
function* inReaping(events: readonly AgentEvent[]): Fates {
  for (const turn of turns) {
    const at = 1 + events.findIndex(({ name }) => turn.test(name));
    if (at === 0) continue;
    const first: Fate = { at, death: "after" };
    const reaping = yield [first, unharmed];
    for (const fate of everyFate(reaping.events)) yield [first, fate];
  }
}

function fatesOf(manner: Manner, { events, cueAt }: Performance): Fates {
  const from = Math.max(1, cueAt);
  switch (manner) {
    case "once":
      return inARow(events, from, 1);
    case "twice":
      return inARow(events, from, 2);
    case "thrice":
      return inARow(events, from, 3);
    case "reaper":
      return inReaping(events);
  }
}

/** Labs for one scene, one after the other. */
async function* stages(scene: Scene): AsyncGenerator<{ node: RestoreNode; orders: RestoreTest[] }> {
  for (;;) {
    const ends: (() => void | Promise<void>)[] = [];
    const scope = { after: (end: () => void | Promise<void>) => void ends.unshift(end) };
    const { limits = {}, nodes = 1 } = scene;
    try {
      const node = await startRestoreNode(scope, { limits, nodes });
      const orders = scene.orders(node);
      for (let played = 0; played < performancesPerLab; played++) yield { node, orders };
    } finally {
      for (const end of ends) await end();
    }
  }
}

const tell = (fates: readonly Fate[], { last }: Performance, problem: string) =>
  `${fates.map(({ at, death }) => `${death} ${at}`).join(", ")} (${last}): ${problem}`;

/** Plays these fates of a scene. */
export async function playFates(scene: Scene, list: Iterable<readonly Fate[]>): Promise<Played> {
  function* fates(): Fates {
    for (const each of list) yield each;
  }
  return play(scene, () => fates());
}

/** Plays a scene through with every death of that manner. It has to be without fault when nobody dies, too. */
export const playManner = (scene: Scene, manner: Manner): Promise<Played> => play(scene, (calm) => fatesOf(manner, calm), true);

async function play(scene: Scene, choose: (calm: Performance) => Fates, calmFirst = false): Promise<Played> {
  const played: Played = { performances: 0, deaths: 0, problems: [] };
  const stage = stages(scene);
  const once = async (fates: readonly Fate[]) => {
    const { value } = await stage.next();
    if (value === undefined) throw new Error("there is always another stage");
    const performance = await perform(value.node, scene, value.orders, fates);
    played.performances++;
    played.deaths += performance.dead;
    played.problems.push(...performance.problems.map((problem) => tell(fates, performance, problem)));
    return performance;
  };
  try {
    const calm: Performance = calmFirst ? await once([]) : { dead: 0, last: "", events: [], cueAt: 0, problems: [] };
    const fates = choose(calm);
    for (let next = fates.next(); next.done !== true; ) next = fates.next(await once(next.value));
  } finally {
    await stage.return(undefined);
  }
  return played;
}
