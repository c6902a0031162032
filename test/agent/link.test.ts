import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { MessageOf } from "#protocol/messages.ts";
import { SampleTable } from "../../agent/core/table.ts";
import { Facts } from "../../agent/facts.ts";
import type { HubPlace, PlaceFound } from "../../agent/hub-place.ts";
import { loadIdentity } from "../../agent/identity.ts";
import { Link } from "../../agent/link.ts";
import type { BackupFeed } from "../../agent/ports.ts";
import { Sampler } from "../../agent/sampler.ts";
import { SpoolFiles } from "../../agent/spool-files.ts";
import { SpoolStore } from "../../agent/spool-store.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { FakeCollector } from "../support/fake-collector.ts";
import { LinkHub } from "../support/link-hub.ts";
import { type HubEnd, linkPair } from "../support/link-pair.ts";

const fingerprint = Array(32).fill("AB").join(":");
const joinKey = Buffer.from("the cluster's join key");
const place: HubPlace = { url: "wss://hub:8420/agent", fingerprint, from: "test", proof: { kind: "key", key: joinKey } };

/** An agent without its process, on a clock that stands still, and a hub in memory. */
function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "proven-link-"));
  const clock = new FakeClock();
  const hub = new LinkHub(fingerprint);
  hub.joinKey = joinKey;
  const collector = new FakeCollector(clock);
  const logged: string[] = [];
  const heard: MessageOf<"alerts">["body"][] = [];
  /** Who takes the catalogue of backups now. */
  const catalogue: { listener: Parameters<BackupFeed["listen"]>[0] } = { listener: undefined };
  const log = (_level: number, message: string) => void logged.push(message);
  const store = new SpoolStore(SpoolFiles.open(join(folder, "spool"), log), log);
  const facts = new Facts();
  const net = {
    up: true,
    answersPings: true,
    joined: undefined as string | undefined,
    pins: undefined as string[] | undefined,
    ends: [] as HubEnd[],
    place,
    found: undefined as PlaceFound | undefined,
  };
  const link = new Link({
    clock,
    log,
    random: () => 0.5,
    identity: loadIdentity(folder),
    store,
    facts,
    identify: () => collector.identify(),
    setDuties: (duties) => collector.setDuties(duties),
    backups: {
      listen: (listener) => {
        catalogue.listener = listener;
      },
    },
    hearAlerts: (body) => void heard.push(body),
    tellOutlet: async ({ ways }) => ways.map((way) => ({ way, outcome: "told", said: "written" })),
    answerHub: async () => undefined,
    findHub: () => net.found ?? { ok: true, place: net.place },
    readJoined: () => net.joined,
    writeJoined: (value) => {
      net.joined = value;
    },
    writePins: (_place, shown, accepts) => {
      net.pins = [shown, ...accepts];
    },
    async connect() {
      if (!net.up) return { ok: false, problem: "connection refused" };
      let hear: ReturnType<LinkHub["accept"]> = () => undefined;
      const pair = linkPair(fingerprint, { message: (message) => hear(message), closed: () => undefined });
      pair.hub.answersPings = net.answersPings;
      net.ends.push(pair.hub);
      hear = hub.accept(pair.hub);
      return { ok: true, socket: pair.agent };
    },
  });
  const awayMs = () => link.awayMs();
  const sampler = new Sampler({ clock, log, collector, table: new SampleTable(), store, facts, awayMs, onTick: () => undefined });
  const stop = new AbortController();
  const running = [link.run(stop.signal), sampler.run(stop.signal)];
  t.after(async () => {
    stop.abort();
    await Promise.all(running);
    await settle();
    rmSync(folder, { recursive: true });
  });
  return { clock, hub, collector, store, link, sampler, net, logged, heard, catalogue, folder };
}

/** Times of the ticks since the start, one every 10 s. */
const everyTick = (count: number) => Array.from({ length: count }, (_, index) => Date.UTC(2026, 0, 5, 12) + index * 10_000);

test("at its first connection an agent proves the join key, later it only signs", async (t) => {
  const { clock, hub, net, collector } = setUp(t);
  await clock.advance(1_000);
  assert.deepEqual(Object.keys(hub.hellos[0]?.join ?? {}), ["proof"]);
  assert.equal(net.joined, fingerprint);
  assert.deepEqual(collector.duties, ["cluster"]);
  hub.close(1012);
  await clock.advance(2_000);
  assert.equal(hub.hellos.length, 2);
  assert.equal(hub.hellos[1]?.join, undefined);
});

test("while pmxcfs is down the hub of before is found again; one that the cluster no longer has is not", async (t) => {
  const { clock, hub, net, collector } = setUp(t);
  await clock.advance(1_000);
  net.found = { ok: false, problem: "where the hub is can't be read: /etc/pve/proven/hub.json: pmxcfs has ended" };
  collector.mounted = false;
  hub.close(1012);
  await clock.advance(2_000);
  assert.deepEqual(
    hub.hellos.map(({ node, join }) => [node, join !== undefined]),
    [
      [collector.node, true],
      [collector.node, false],
    ],
  );
  net.found = { ok: false, problem: "no hub yet", none: true };
  hub.close(1012);
  await clock.advance(60_000);
  net.found = { ok: false, problem: "pmxcfs has ended" };
  await clock.advance(60_000);
  assert.equal(hub.hellos.length, 2);
});

test("a hub that forgot the agent's key gets the proof again", async (t) => {
  const { clock, hub } = setUp(t);
  await clock.advance(1_000);
  hub.knownKeys.clear();
  hub.close(1006);
  await clock.advance(5_000);
  assert.deepEqual(
    hub.hellos.map((hello) => hello.join !== undefined),
    [true, false, true],
  );
  assert.equal(hub.knownKeys.size, 1);
});

test("a wrong join key is told with its remedy and tried again ever more slowly", async (t) => {
  const { clock, hub, logged } = setUp(t);
  hub.joinKey = Buffer.from("another");
  await clock.advance(120_000);
  assert.ok(logged.includes("the hub refused this agent: The join token or key is wrong, used or expired"));
  // Half of 1, 2, 4, 8, 16, 32, 60, 60 s after each attempt.
  assert.equal(hub.connections, 9);
});

test("a token is sent as it is", async (t) => {
  const { clock, hub, net } = setUp(t);
  hub.joinKey = undefined;
  hub.token = "once";
  net.place = { ...place, proof: { kind: "token", token: "once" } };
  await clock.advance(2_000);
  assert.deepEqual(hub.hellos.at(-1)?.join, { token: "once" });
  assert.equal(net.joined, fingerprint);
});

test("the catalogue of backups goes to a hub that knows it, for as long as the session lasts", async (t) => {
  const { clock, hub, catalogue } = setUp(t);
  await clock.advance(1_000);
  const listener = () => catalogue.listener;
  assert.equal(listener(), undefined, "version 1 knows no backups");
  hub.versions = { min: 1, max: 2 };
  hub.close(1012);
  await clock.advance(5_000);
  const part = { storage: "nas", shared: true, at: 1, part: 1, parts: 1, backups: [] };
  assert.equal(listener()?.(part), true);
  await settle();
  assert.deepEqual(hub.messages.at(-1), { type: "backups", body: part });
  const old = listener();
  hub.refuseWith = "overloaded";
  hub.close(1006);
  await clock.advance(1_000);
  assert.deepEqual([listener(), old?.(part)], [undefined, false]);
});

test("every tick arrives once, through a change of the schema and key frames", async (t) => {
  const { clock, hub, store } = setUp(t);
  await clock.advance(400_000);
  assert.deepEqual(hub.times(), everyTick(41));
  assert.deepEqual(hub.streams.get(store.stream)?.frames[40]?.values, [4100, 6]);
  assert.equal(hub.duplicates, 0);
  assert.equal(store.waiting, 0);
});

test("a hub that is away for ten minutes misses nothing and drops only what it had", async (t) => {
  const { clock, hub, store, net } = setUp(t);
  await clock.advance(100_000);
  net.up = false;
  hub.close(1006);
  await clock.advance(600_000);
  assert.equal(store.waiting, 60);
  net.up = true;
  await clock.advance(70_000);
  assert.deepEqual(hub.times(), everyTick(78));
  assert.equal(store.waiting, 0);
  assert.equal(store.lost, 0);
});

test("a hub that stored records and died before it said so is not sent a gap", async (t) => {
  const { clock, hub, store } = setUp(t);
  hub.acks = false;
  await clock.advance(200_000);
  assert.ok(store.waiting > 20);
  hub.acks = true;
  hub.close(1006);
  await clock.advance(20_000);
  assert.deepEqual(hub.times(), everyTick(23));
  assert.equal(store.waiting, 0);
});

test("no more than 64 records are on the way", async (t) => {
  const { clock, hub, store } = setUp(t);
  hub.acks = false;
  await clock.advance(900_000);
  assert.equal(hub.mostOnTheWay, 64);
  hub.acks = true;
  hub.acknowledge();
  await clock.advance(10_000);
  assert.deepEqual(hub.times(), everyTick(92));
  assert.equal(store.waiting, 0);
});

test("a hub that lost the thread gets a schema and a key frame, and misses no tick", async (t) => {
  const { clock, hub } = setUp(t);
  await clock.advance(100_000);
  hub.loseThread();
  await clock.advance(100_000);
  assert.equal(hub.unreadable, 1);
  assert.deepEqual(hub.times(), everyTick(21));
});

test("a hub that acknowledges is not asked whether it is there", async (t) => {
  const { clock, hub, net } = setUp(t);
  await clock.advance(10 * 60_000);
  assert.deepEqual(hub.times(), everyTick(61));
  assert.deepEqual(
    net.ends.map(({ pings }) => pings),
    [0],
  );
});

test("a frozen hub is left within 45 s", async (t) => {
  const { clock, net, link } = setUp(t);
  await clock.advance(1_000);
  (net.ends[0] as HubEnd).answersPings = false;
  net.up = false;
  await clock.advance(45_000);
  assert.deepEqual(net.ends[0]?.closedBy, { side: "agent", code: 1006 });
  assert.ok(link.awayMs() > 0);
});

test("a clock set back or forth by an hour ends no session and keeps the times growing", async (t) => {
  const { clock, hub } = setUp(t);
  await clock.advance(20_000);
  clock.jumpWall(3_600_000);
  await clock.advance(30_000);
  clock.jumpWall(-3_600_000);
  await clock.advance(30_000);
  const told = hub.messages.filter((message) => message.type === "inventory").at(-1)?.body.node.sources;
  assert.match(told?.find(({ source }) => source === "clock")?.problem ?? "", /^the clock was set far back/);
  const times = hub.times();
  assert.equal(hub.connections, 1);
  assert.equal(times.length, 9);
  assert.ok(times.every((at, index) => index === 0 || at > (times[index - 1] as number)));
});

for (const [name, versions, said] of [
  [
    "an agent that is too old",
    { min: 4, max: 5 },
    "the hub refused this agent: This agent is too old for the hub: upgrade proven-agent",
  ],
  [
    "a hub that is too old",
    { min: 0, max: 0 },
    "the hub refused this agent: The hub is too old for this agent: upgrade proven-hub",
  ],
] as const) {
  test(`${name} is named, and no hello is sent`, async (t) => {
    const { clock, hub, logged } = setUp(t);
    hub.versions = versions;
    hub.close(1006);
    await clock.advance(3_000);
    assert.ok(logged.includes(said));
    assert.equal(hub.hellos.length, 0);
  });
}

test("a revoked agent asks again only every 5 to 10 minutes, and samples on", async (t) => {
  const { clock, hub, store } = setUp(t);
  hub.refuseWith = "revoked";
  await clock.advance(600_000);
  assert.equal(hub.connections, 2);
  assert.equal(store.waiting, 63); // 61 ticks and two schemas
});

test("what the hub garbles is answered, and after 20 the session ends", async (t) => {
  const { clock, hub, net } = setUp(t);
  await clock.advance(1_000);
  for (let index = 0; index < 20; index++) hub.sayText(index % 2 === 0 ? "{" : '{"type":"nonsense","body":{}}');
  await settle();
  assert.deepEqual(net.ends[0]?.closedBy, { side: "agent", code: 1008 });
  assert.equal(hub.messages.filter((message) => message.type === "problem").length, 20);
});

test("inventory is told at connect and when it changes, tasks of the last day at connect and new ones once", async (t) => {
  const { clock, hub, collector } = setUp(t);
  const upid = (hex: string) => `UPID:pve1:00000001:00000001:${hex}:vzdump:100:root@pam:`;
  const startHex = Math.floor(clock.now() / 1000)
    .toString(16)
    .toUpperCase();
  collector.newTasks.push({ upid: upid(startHex) });
  await clock.advance(15_000);
  const count = (type: string) => hub.messages.filter((message) => message.type === type).length;
  const before = { inventory: count("inventory"), tasks: count("tasks") };
  await clock.advance(30_000);
  assert.deepEqual({ inventory: count("inventory"), tasks: count("tasks") }, before);
  collector.inventoryVersion++;
  collector.newTasks.push({ upid: upid(startHex), endedAt: clock.now(), status: "OK" });
  await clock.advance(10_000);
  assert.deepEqual(
    { inventory: count("inventory"), tasks: count("tasks") },
    { inventory: before.inventory + 1, tasks: before.tasks + 1 },
  );
  hub.close(1012);
  await clock.advance(2_000);
  const last = hub.messages.filter((message) => message.type === "tasks").at(-1);
  assert.deepEqual(
    last?.body.tasks.map((task) => task.status),
    ["OK"],
  );
});

test("alerts that the hub dispatches are handed on as they came", async (t) => {
  const { clock, hub, heard } = setUp(t);
  await clock.advance(1_000);
  hub.say("alerts", { all: true, alerts: [] });
  await settle();
  assert.deepEqual(heard, [{ all: true, alerts: [] }]);
});

test("a tick that takes too long is skipped and counted, the next is made", async (t) => {
  const { clock, hub, collector, sampler } = setUp(t);
  await clock.advance(15_000);
  collector.collectMs = 12_000;
  await clock.advance(10_000);
  collector.collectMs = 0;
  await clock.advance(40_000);
  assert.equal(sampler.skipped, 1);
  assert.equal(hub.times().length, 5);
});

test("while pmxcfs is not mounted the agent samples, and connects once it knows its name", async (t) => {
  const { clock, hub, collector } = setUp(t);
  await clock.advance(100);
  collector.mounted = false;
  hub.close(1006);
  await clock.advance(30_000);
  assert.equal(hub.connections, 1);
  collector.mounted = true;
  await clock.advance(20_000);
  assert.equal(hub.connections, 2);
  assert.deepEqual(hub.times(), everyTick(6));
});
