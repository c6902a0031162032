import assert from "node:assert/strict";
import { test } from "node:test";
import { guestKey, type Vmid } from "#protocol/ids.ts";
import { revokeKey } from "../../../hub/keys.ts";
import { connect, inventoryOf, type TestHub, testHub } from "../../support/test-hub.ts";

/** What a stream begins with: the whole picture, and a beat. */
const pictureEvents = 6;

/** Reads server-sent events one by one. */
function eventsOf(response: Response) {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  const next = async (): Promise<{ event: string; data: unknown } | undefined> => {
    const end = text.indexOf("\n\n");
    if (end >= 0) {
      const match = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end));
      text = text.slice(end + 2);
      return { event: match?.[1] ?? "", data: JSON.parse(match?.[2] ?? "null") };
    }
    const { value, done } = await reader.read();
    if (done) return undefined;
    text += decoder.decode(value);
    return next();
  };
  return { next, cancel: () => reader.cancel() };
}

function dataOf<T>(message: { data: unknown } | undefined): T {
  assert.ok(message);
  return message.data as T;
}

async function openStream(hub: TestHub) {
  const key = hub.newKey("read");
  const response = await hub.app.request("/api/v1/stream", { headers: { Authorization: `Bearer ${key}` } });
  assert.equal(response.headers.get("Content-Type"), "text/event-stream");
  return { key, ...eventsOf(response) };
}

function oneGuest(hub: TestHub) {
  const agent = connect(hub, "pve1");
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  hub.series.put(agent, guestKey(100 as Vmid), "status", hub.clock.now(), 1);
  hub.watch.tick();
  return agent;
}

test("the stream begins with the whole picture and a beat", async (t) => {
  const hub = testHub(t);
  oneGuest(hub);
  const stream = await openStream(hub);
  const first = [];
  for (let i = 0; i < pictureEvents; i++) first.push(await stream.next());
  assert.deepEqual(
    first.map((one) => one?.event),
    ["alerts", "nodes", "guests", "storages", "runs", "beat"],
  );
  assert.deepEqual(first[5]?.data, { now: hub.clock.now(), newestSampleAgeMs: 0 });
  await stream.cancel();
});

test("then it tells what changed, and no more", async (t) => {
  const hub = testHub(t);
  const agent = oneGuest(hub);
  const stream = await openStream(hub);
  for (let i = 0; i < pictureEvents; i++) await stream.next();
  hub.watch.tick();
  hub.series.put(agent, guestKey(100 as Vmid), "status", hub.clock.now(), 0);
  hub.watch.tick();
  const told = [await stream.next(), await stream.next(), await stream.next()];
  assert.deepEqual(
    told.map((one) => one?.event),
    ["event", "nodes", "guests"],
  );
  assert.deepEqual(
    dataOf<{ node: string }[]>(told[1]).map((node) => node.node),
    ["pve1"],
  );
  assert.deepEqual(
    dataOf<{ state: string }[]>(told[2]).map((guest) => guest.state),
    ["stopped"],
  );
  await stream.cancel();
});

test("what is deleted is told as gone", async (t) => {
  const hub = testHub(t);
  const agent = oneGuest(hub);
  const stream = await openStream(hub);
  for (let i = 0; i < pictureEvents; i++) await stream.next();
  hub.fleet.inventory(agent, inventoryOf());
  await hub.clock.advance(16_000);
  hub.watch.tick();
  let message = await stream.next();
  while (message !== undefined && message.event !== "gone") message = await stream.next();
  assert.deepEqual(message?.data, [{ entity: "guest/100", cluster: "00000000000000aa" }]);
  await stream.cancel();
});

test("a beat comes every five seconds", async (t) => {
  const hub = testHub(t);
  const stream = await openStream(hub);
  for (let i = 0; i < pictureEvents; i++) await stream.next();
  await hub.clock.advance(10_000);
  assert.deepEqual([(await stream.next())?.event, (await stream.next())?.event], ["beat", "beat"]);
  await stream.cancel();
});

test("a stream ends when its key is revoked", async (t) => {
  const hub = testHub(t);
  const stream = await openStream(hub);
  for (let i = 0; i < pictureEvents; i++) await stream.next();
  revokeKey(hub.state, stream.key.split("_")[1] ?? "", { actor: "root", reason: "leaked" }, hub.clock.now());
  await hub.clock.advance(5000);
  assert.equal(await stream.next(), undefined);
});

test("a client that does not read is dropped, and the others go on", async (t) => {
  const hub = testHub(t);
  const [slow, quick] = [await openStream(hub), await openStream(hub)];
  for (let i = 0; i < pictureEvents; i++) await quick.next();
  const facts = { version: "x".repeat(1000) };
  for (let i = 0; i < 5000; i++) {
    hub.journal.emit("hub.started", facts);
    assert.equal((await quick.next())?.event, "event");
  }
  let received = 0;
  while ((await slow.next()) !== undefined) received++;
  assert.ok(received > 1500 && received < 2250, `${received} of about 2 kB each`);
  await quick.cancel();
});

test("one key holds few of the live streams: the others' are served, and one that ends makes room", async (t) => {
  const hub = testHub(t);
  const [greedy, other] = [hub.newKey("read"), hub.newKey("read")];
  const open = (key: string) => hub.app.request("/api/v1/stream", { headers: { Authorization: `Bearer ${key}` } });
  const streams: Response[] = [];
  for (let i = 0; i < 25; i++) streams.push(await open(greedy));
  assert.deepEqual([...new Set(streams.map(({ status }) => status))], [200]);
  const refused = await open(greedy);
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /25 live streams of yours are open/);
  const served = await open(other);
  assert.equal(served.status, 200);
  await streams.pop()?.body?.cancel();
  streams.push(await open(greedy), served);
  assert.equal(streams.at(-2)?.status, 200);
  for (const { body } of streams) await body?.cancel();
});
