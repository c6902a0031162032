import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat, heartbeatConfig } from "../../hub/heartbeat.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { MessageServer } from "../support/message-server.ts";

test("the address is asked every minute; failures are tolerated, then told, and nobody reads the address", async (t) => {
  const server = await MessageServer.start(t);
  const clock = new FakeClock();
  const lines: string[] = [];
  const config = heartbeatConfig.parse({ url: `${server.url}/ping/secret-id`, allow_loopback: true });
  const heartbeat = new Heartbeat(config, { clock, log: (_, line) => lines.push(line) });
  t.after(() => heartbeat.stop());
  const beat = async (count: number) => {
    await server.until(count);
    while (clock.sleeping === 0) await settle();
  };
  heartbeat.start();
  await beat(1);
  assert.deepEqual([server.received[0]?.method, server.received[0]?.path], ["GET", "/ping/secret-id"]);
  server.usual = { status: 500 };
  for (let count = 2; count <= 4; count++) {
    assert.deepEqual(heartbeat.problems(), []);
    await clock.advance(60_000);
    await beat(count);
  }
  assert.deepEqual(heartbeat.problems(), ["The heartbeat has failed 3 times: HTTP 500"]);
  server.usual = { status: 200 };
  await clock.advance(60_000);
  await beat(5);
  assert.deepEqual(heartbeat.problems(), []);
  assert.deepEqual(lines, ["the heartbeat fails: HTTP 500", "the heartbeat gets through again"]);
});

test("a service outside that hears nothing for three minutes knows that the hub is gone: a stopped one sends no more", async (t) => {
  const server = await MessageServer.start(t);
  const clock = new FakeClock();
  const config = heartbeatConfig.parse({ url: `${server.url}/ping/secret-id`, allow_loopback: true });
  const heard: number[] = [];
  const overdue = () => clock.now() - (heard.at(-1) ?? 0) > 180_000;
  const heartbeat = new Heartbeat(config, { clock, log: () => undefined });
  heartbeat.start();
  for (let count = 1; count <= 5; count++) {
    await server.until(count);
    heard.push(clock.now());
    while (clock.sleeping === 0) await settle();
    assert.equal(overdue(), false);
    await clock.advance(60_000);
  }
  await server.until(6);
  heard.push(clock.now());
  await heartbeat.stop();
  await clock.advance(180_001);
  assert.deepEqual([server.received.length, overdue()], [6, true]);
});
