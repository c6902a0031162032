import assert from "node:assert/strict";
import { test } from "node:test";
import { guestKey, type Vmid } from "#protocol/ids.ts";
import { type SeenHub, seenHub } from "../../support/seen-hub.ts";
import { clusterA } from "../../support/test-hub.ts";

type Message = { event: string; text: string };

async function open({ gateway }: SeenHub, user: string) {
  const response = await gateway.ask(user, "GET", "/api/v1/stream");
  assert.equal(response.status, 200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  /** Undefined: the stream has ended. */
  const next = async (): Promise<Message | undefined> => {
    const end = text.indexOf("\n\n");
    if (end >= 0) {
      const [, event = ""] = /^event: (.*)$/m.exec(text.slice(0, end)) ?? [];
      const message = { event, text: text.slice(0, end) };
      text = text.slice(end + 2);
      return message;
    }
    const { value, done } = await reader.read();
    if (done) return undefined;
    text += decoder.decode(value);
    return next();
  };
  /** All up to the first of this kind. */
  const until = async (event: string) => {
    const seen: Message[] = [];
    for (let one = await next(); one !== undefined; one = await next()) {
      seen.push(one);
      if (one.event === event) return seen;
    }
    throw new Error(`the stream ended before ${event}`);
  };
  return { next, until, cancel: () => reader.cancel() };
}

test("a stream begins with what is seen, and tells no change of what isn't", async (t) => {
  const one = seenHub(t);
  const { hub, agent, alerting } = one;
  const stream = await open(one, "carol@pve");
  const first = await stream.until("beat");
  assert.deepEqual(
    first.map(({ event }) => event),
    ["alerts", "nodes", "guests", "storages", "runs", "beat"],
  );
  const place = { cluster: clusterA, node: "pve1" };
  for (const vmid of [101, 100]) {
    hub.series.put(agent, guestKey(vmid as Vmid), "status", hub.clock.now(), 0);
    hub.watch.tick();
    hub.journal.emit("guest.stopped", { guest: `guest ${vmid}`, node: "pve1" }, { ...place, entity: `guest/${vmid}` });
    const about = alerting.alerts.filter(({ entity }) => entity === `guest/${vmid}`);
    for (const listener of alerting.listeners) listener(about);
  }
  const told = [...(await stream.until("event")), ...(await stream.until("alerts"))];
  const all = [...first, ...told].map(({ text }) => text).join("\n");
  assert.doesNotMatch(all, /hidden|\b101\b/);
  assert.match(told.map(({ text }) => text).join("\n"), /guest 100/);
  assert.ok(!told.some(({ text }) => /data: \[\]$/.test(text)), "nothing is told where nothing is left");
  await stream.cancel();
});

test("what is seen newly is told at once on the open stream", async (t) => {
  const one = seenHub(t);
  const { hub, gateway } = one;
  const stream = await open(one, "carol@pve");
  await stream.until("beat");
  const lab = gateway.viewOf;
  gateway.viewOf = (user) => ({ ...lab(user), guests: [...lab(user).guests, 101] });
  await gateway.putView("carol@pve");
  await hub.clock.advance(5000);
  const told = await stream.until("beat");
  assert.match(told.map(({ text }) => text).join("\n"), /"vmid":101/);
  await stream.cancel();
});

test("a stream ends when something that was seen is hidden", async (t) => {
  const one = seenHub(t);
  const { hub, gateway } = one;
  const stream = await open(one, "carol@pve");
  await stream.until("beat");
  const lab = gateway.viewOf;
  gateway.viewOf = (user) => ({ ...lab(user), guests: lab(user).guests.filter((vmid) => vmid !== 100) });
  await gateway.putView("carol@pve");
  await hub.clock.advance(5000);
  assert.equal(await stream.next(), undefined);
});

test("of two views of one user the one that Proxmox VE told later counts for his streams", async (t) => {
  const one = seenHub(t);
  const { hub, gateway } = one;
  const stream = await open(one, "carol@pve");
  await stream.until("beat");
  const lab = gateway.viewOf;
  const older = { viewAt: hub.clock.now() - 20_000 };
  gateway.viewOf = (user) => ({ ...lab(user), guests: [] });
  await gateway.putView("carol@pve");
  gateway.viewOf = lab;
  await gateway.putView("carol@pve");
  gateway.viewOf = (user) => ({ ...lab(user), guests: [] });
  assert.equal((await gateway.send("carol@pve", "GET", "/api/v1/guests", undefined, older)).status, 200);
  await hub.clock.advance(5000);
  assert.deepEqual(
    (await stream.until("beat")).map(({ event }) => event),
    ["beat"],
  );
  await stream.cancel();
});

test("a stream ends when its gateway vouches no more: 90 s, or at once when the agent is revoked", async (t) => {
  const one = seenHub(t);
  const { hub, gateway } = one;
  const [left, revoked] = [await open(one, "carol@pve"), await open(one, "root@pam")];
  for (const stream of [left, revoked]) await stream.until("beat");
  for (let sec = 0; sec < 60; sec += 5) await hub.clock.advance(5000);
  await gateway.putView("root@pam");
  for (let sec = 60; sec < 90; sec += 5) await hub.clock.advance(5000);
  for (let beats = 0; beats < 17; beats++) assert.equal((await left.next())?.event, "beat");
  assert.equal(await left.next(), undefined);
  for (let beats = 0; beats < 18; beats++) assert.equal((await revoked.next())?.event, "beat");
  await gateway.ask("root@pam", "DELETE", "/api/v1/agents/00000000000000aa/pve1");
  await hub.clock.advance(5000);
  let last = await revoked.next();
  while (last !== undefined && last.event !== "beat") last = await revoked.next();
  assert.equal(last, undefined);
});
