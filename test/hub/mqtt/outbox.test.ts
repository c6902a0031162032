import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Published } from "../../../hub/mqtt/connection.ts";
import { Outbox } from "../../../hub/mqtt/outbox.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const status = { topic: "proven/status", payload: "online" };

/** An outbox whose publications wait for `end()`, the oldest first. */
function setUp(t: TestContext) {
  const sent: string[] = [];
  const open: ((published: Published) => void)[] = [];
  const outbox = new Outbox({
    path: join(temporaryDir(t), "topics.json"),
    clock: new FakeClock(0),
    log: () => undefined,
    publish: (_, payload) => {
      sent.push(payload);
      return new Promise((resolve) => open.push(resolve));
    },
  });
  /** Ends what is on its way, and what follows from it. */
  const end = async (published: Published) => {
    while (open.length > 0) {
      for (const resolve of open.splice(0)) resolve(published);
      await new Promise(setImmediate);
    }
  };
  return { outbox, sent, end };
}

test("events that were on their way when the connection broke come once more, in the order they happened, before later ones", async (t) => {
  const { outbox, sent, end } = setUp(t);
  outbox.connected(status);
  await end("taken");
  for (const n of [1, 2, 3, 4]) outbox.event("proven/events/x", String(n));
  await end("lost");
  for (const n of [5, 6]) outbox.event("proven/events/x", String(n));
  sent.length = 0;
  outbox.connected(status);
  await end("taken");
  assert.deepEqual(sent, ["online", "1", "2", "3", "4", "5", "6"]);
});

test("of a long outage the newest thousand events follow, those that were on their way counted", async (t) => {
  const { outbox, sent, end } = setUp(t);
  outbox.connected(status);
  await end("taken");
  for (let n = 1; n <= 5; n++) outbox.event("proven/events/x", String(n));
  for (let n = 6; n <= 1010; n++) outbox.event("proven/events/x", String(n));
  await end("lost");
  sent.length = 0;
  outbox.connected(status);
  await end("taken");
  assert.deepEqual(sent, ["online", ...Array.from({ length: 1000 }, (_, index) => String(index + 11))]);
});

test("what the broker refuses is not asked again in this connection, and holds up nothing else", async (t) => {
  const { outbox, sent, end } = setUp(t);
  outbox.connected(status);
  await end("refused");
  outbox.event("proven/events/x", "1");
  outbox.reconcile((topic) => topic === "proven/a", new Map([["proven/a", "a"]]), 0);
  await end("refused");
  outbox.event("proven/events/x", "2");
  await end("taken");
  assert.deepEqual(sent, ["online", "1", "a", "2"]);
  outbox.connected(status);
  await end("taken");
  assert.deepEqual(sent.slice(4).sort(), ["a", "online"]);
});
