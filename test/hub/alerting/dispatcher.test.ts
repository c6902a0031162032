import assert from "node:assert/strict";
import { test } from "node:test";
import type { SendResult } from "../../../hub/core/delivery.ts";
import { testNotification } from "../../../hub/core/message.ts";
import { DispatchRig } from "../../support/dispatch.ts";
import { common, noon, notificationOf, resolvedOf, webhookReceiver } from "../../support/notifications.ts";

const minute = 60_000;
const hour = 60 * minute;
const down: SendResult = { ok: false, retry: true, problem: "connect ECONNREFUSED" };
const many = (count: number, group = (n: number) => `g${n}`) =>
  Array.from({ length: count }, (_, n) => notificationOf({ id: `n${n}`, group: group(n) }));

test("a message goes out in the turn in which it was enqueued, with no time passing", async (t) => {
  const rig = new DispatchRig(t);
  rig.tell(notificationOf());
  assert.deepEqual(rig.ids(), ["n1"]);
  await rig.settle();
  assert.equal(rig.stateOf("n1"), "delivered");
});

test("a second notification with a known id is the same one", async (t) => {
  const rig = new DispatchRig(t);
  rig.tell(notificationOf(), notificationOf());
  await rig.settle();
  rig.tell(notificationOf());
  await rig.settle();
  assert.deepEqual(rig.ids(), ["n1"]);
});

test("what a failed transaction enqueued is not sent", async (t) => {
  const rig = new DispatchRig(t);
  const failing = () =>
    rig.state.together(() => {
      rig.dispatcher.enqueue(notificationOf());
      throw new Error("disk full");
    });
  assert.throws(failing, /disk full/);
  rig.tell(notificationOf({ id: "n2" }));
  await rig.settle();
  assert.deepEqual(rig.ids(), ["n2"]);
});

test("messages of one group go one after the other and keep their order through failures; others don't wait for them", async (t) => {
  const rig = new DispatchRig(t);
  let failures = 2;
  rig.answer = ({ id }) => (id === "a1" && failures-- > 0 ? down : { ok: true, answer: "ok" });
  const of = (id: string, group: string) => notificationOf({ id, group });
  rig.tell(of("a1", "a"), of("a2", "a"), of("b1", "b"), of("b2", "b"));
  await rig.clock.advance(10_000);
  assert.deepEqual(
    rig.ids().filter((id) => id.startsWith("a")),
    ["a1", "a1", "a1", "a2"],
  );
  assert.deepEqual(
    rig.ids().filter((id) => id.startsWith("b")),
    ["b1", "b2"],
  );
});

test("a receiver that is down for an hour loses nothing, and gets all within half a minute of its return", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  for (const notification of many(60)) {
    rig.tell(notification);
    await rig.clock.advance(minute);
  }
  const attempts = rig.sent.length;
  assert.ok(attempts > 60 && attempts < 400, `${attempts} attempts in an hour`);
  assert.deepEqual(rig.events, ["failing r"]);
  rig.answer = () => ({ ok: true, answer: "ok" });
  await rig.clock.advance(31_000);
  while (rig.dispatcher.log.open().length > 0 && rig.sent.length < attempts + 100) await rig.settle();
  assert.deepEqual(new Set(rig.ids().slice(attempts)), new Set(many(60).map(({ id }) => id)));
  assert.equal(rig.sent.length - attempts, 60);
  assert.deepEqual(rig.events, ["failing r", "back r"]);
});

test("after a day of failures a message is a dead letter; it can be sent again and arrives", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  rig.tell(notificationOf());
  await rig.clock.advance(23 * hour);
  assert.equal(rig.stateOf("n1"), "retrying");
  await rig.clock.advance(2 * hour);
  assert.equal(rig.stateOf("n1"), "dead");
  assert.equal(rig.state.get("delivery", "n1")?.problem, "not delivered within a day: connect ECONNREFUSED");
  assert.deepEqual(
    rig.dispatcher.log.page({ state: "dead" }, 10, undefined).items.map(({ id }) => id),
    ["n1"],
  );
  rig.answer = () => ({ ok: true, answer: "ok" });
  assert.equal(rig.dispatcher.replay("n1"), true);
  await rig.clock.advance(minute);
  assert.equal(rig.stateOf("n1"), "delivered");
  assert.equal(rig.dispatcher.replay("n1"), false);
});

test("a receiver that was down for days hears what ended meanwhile, not what began; chats hear neither", async (t) => {
  const rig = new DispatchRig(t);
  rig.put({ ...common, type: "alertmanager", url: "https://example.org" });
  rig.put({ ...common, id: "chat", type: "slack", url: { ref: "receiver/chat/url" } });
  rig.tell(notificationOf());
  await rig.settle();
  rig.answer = () => down;
  const [over] = resolvedOf().alerts;
  assert.ok(over);
  const other = { ...over, id: "other", state: "firing" as const, resolvedAt: null };
  rig.tell(
    notificationOf({ id: "partly", kind: "firing", reason: "some-resolved", sequence: 2, alerts: [other, over] }),
    notificationOf({ id: "began", group: "g2" }),
    resolvedOf({ id: "ended", sequence: 3, alerts: [{ ...other, state: "resolved", resolvedAt: noon + hour }] }),
    resolvedOf({ id: "chat", receiver: "chat" }),
  );
  await rig.clock.advance(72 * hour);
  assert.deepEqual(
    ["partly", "began", "ended", "chat"].map((id) => rig.stateOf(id)),
    ["retrying", "dead", "queued", "dead"],
  );
  const before = rig.sent.length;
  rig.answer = () => ({ ok: true, answer: "ok" });
  await rig.clock.advance(10 * minute);
  assert.deepEqual(
    rig.sent.slice(before).map(({ id, alerts }) => [id, alerts.map(({ state }) => state).join()]),
    [
      ["partly", "resolved"],
      ["ended", "resolved"],
    ],
  );
});

test("what still fires after a day in vain is told when its receiver is back; what is over by then is not, and neither is its end", async (t) => {
  const rig = new DispatchRig(t);
  rig.put({ ...common, type: "slack", url: { ref: "receiver/r/url" } });
  const [alert] = notificationOf().alerts;
  assert.ok(alert);
  rig.fires(alert);
  const over = { ...alert, id: "other" };
  rig.answer = () => down;
  rig.tell(notificationOf(), notificationOf({ id: "o1", group: "g2", alerts: [over] }));
  await rig.clock.advance(25 * hour);
  rig.tell(resolvedOf({ id: "o2", group: "g2", alerts: [{ ...over, state: "resolved" }] }));
  const before = rig.sent.length;
  rig.answer = () => ({ ok: true, answer: "ok" });
  await rig.clock.advance(10 * minute);
  const told = rig.sent.slice(before);
  assert.deepEqual(
    told.map(({ id, verdict }) => `${id} ${verdict.slice(0, 12)}`),
    ["n1 LATE by 25 h"],
  );
  assert.deepEqual([rig.stateOf("o1"), rig.stateOf("o2")], ["dead", "dropped"]);
});

test("who set a receiver right hears what it refused before and still fires", async (t) => {
  const rig = new DispatchRig(t);
  const [alert] = notificationOf().alerts;
  assert.ok(alert);
  rig.fires(alert);
  rig.answer = () => ({ ok: false, retry: false, problem: "HTTP 404" });
  rig.tell(notificationOf(), notificationOf({ id: "o1", group: "g2", alerts: [{ ...alert, id: "other" }] }));
  await rig.settle();
  rig.answer = () => ({ ok: true, answer: "ok" });
  rig.dispatcher.receiverChanged("r");
  await rig.settle();
  assert.deepEqual([rig.stateOf("n1"), rig.stateOf("o1")], ["delivered", "dead"]);
});

/** One message to an Alertmanager in two parts, of alerts that fire. */
function inParts(rig: DispatchRig): void {
  rig.put({ ...common, type: "alertmanager", url: "https://alertmanager.example.org" });
  const [alert] = notificationOf().alerts;
  assert.ok(alert);
  const other = { ...alert, id: "other" };
  for (const one of [alert, other]) rig.fires(one);
  rig.tell(notificationOf(), notificationOf({ id: "n1.1", alerts: [other] }));
}

test("all parts of a message are told when an Alertmanager is back after a day, and when it was set right", async (t) => {
  for (const answer of [down, { ok: false, retry: false, problem: "HTTP 404" } as const]) {
    const rig = new DispatchRig(t);
    rig.answer = () => answer;
    inParts(rig);
    await rig.clock.advance(25 * hour);
    rig.answer = () => ({ ok: true, answer: "ok" });
    if (!answer.retry) rig.dispatcher.receiverChanged("r");
    await rig.clock.advance(10 * minute);
    assert.deepEqual([rig.stateOf("n1"), rig.stateOf("n1.1")], ["delivered", "delivered"], answer.problem);
  }
});

test("an end is told where a message in between may have arrived: of many the log has let go of it", async (t) => {
  const rig = new DispatchRig(t);
  rig.put({ ...common, type: "slack", url: { ref: "receiver/r/url" } });
  rig.answer = ({ id }) => (id === "n1" ? { ok: false, retry: false, problem: "HTTP 404" } : { ok: true, answer: "ok" });
  rig.tell(notificationOf());
  await rig.settle();
  rig.tell(resolvedOf({ id: "n3", sequence: 3 }));
  await rig.settle();
  assert.deepEqual([rig.stateOf("n1"), rig.stateOf("n3")], ["dead", "delivered"]);
});

test("a message that is refused is dead at once and holds up nobody", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = ({ id }) => (id === "n0" ? { ok: false, retry: false, problem: "HTTP 400" } : { ok: true, answer: "ok" });
  rig.tell(...many(3));
  await rig.settle();
  assert.deepEqual(
    ["n0", "n1", "n2"].map((id) => rig.stateOf(id)),
    ["dead", "delivered", "delivered"],
  );
});

test("who gets no messages is named: not at the first failure, and until one arrives or somebody changes the receiver", async (t) => {
  const rig = new DispatchRig(t);
  const failing = () => rig.dispatcher.failing().map(({ receiver, problem }) => `${receiver.id}: ${problem}`);
  rig.answer = () => down;
  rig.tell(notificationOf());
  await rig.settle();
  assert.deepEqual(failing(), []);
  await rig.clock.advance(10_000);
  assert.deepEqual(failing(), ["r: connect ECONNREFUSED"]);
  rig.answer = () => ({ ok: true, answer: "ok" });
  await rig.clock.advance(31_000);
  assert.deepEqual(failing(), []);
  rig.answer = () => ({ ok: false, retry: false, disable: true, problem: "HTTP 410" });
  rig.tell(notificationOf({ id: "n2" }));
  await rig.settle();
  assert.deepEqual(failing(), ["r: HTTP 410"]);
  rig.dispatcher.receiverChanged("r");
  assert.deepEqual(failing(), []);
});

test("a hub that was just started knows of no receiver that it is well before something got through", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  rig.tell(notificationOf());
  await rig.clock.advance(10_000);
  assert.deepEqual(rig.dispatcher.standings(), [{ name: "Receiver", fails: true }]);
  await rig.dispatcher.stop();
  rig.restart();
  await rig.settle();
  assert.deepEqual(rig.dispatcher.standings(), []);
  await rig.clock.advance(60_000);
  assert.deepEqual(rig.dispatcher.standings(), [{ name: "Receiver", fails: true }]);
  rig.answer = () => ({ ok: true, answer: "ok" });
  await rig.clock.advance(60_000);
  assert.deepEqual(rig.dispatcher.standings(), [{ name: "Receiver", fails: false }]);
});

test("a receiver that wanted nothing more is not well because the hub was restarted; one that a person switched off is", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => ({ ok: false, retry: false, disable: true, problem: "HTTP 410" });
  rig.tell(notificationOf());
  await rig.settle();
  assert.deepEqual(rig.dispatcher.standings(), [{ name: "Receiver", fails: true }]);
  await rig.dispatcher.stop();
  rig.restart();
  await rig.settle();
  assert.deepEqual(rig.dispatcher.standings(), [{ name: "Receiver", fails: true }]);
  assert.equal(rig.dispatcher.problemOf("r"), "HTTP 410");
  rig.dispatcher.receiverChanged("r");
  rig.restart();
  rig.dispatcher.receiverChanged("r");
  assert.deepEqual(rig.dispatcher.standings(), [{ name: "Receiver", fails: false }]);
});

test("410 disables the receiver; what waits for it becomes dead letters, to be sent again when it is enabled", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => ({ ok: false, retry: false, disable: true, problem: "HTTP 410" });
  rig.tell(...many(3, () => "g"));
  await rig.settle();
  assert.deepEqual(rig.ids(), ["n0"]);
  assert.equal(rig.state.get("receiver", "r")?.enabled, false);
  assert.deepEqual(
    ["n0", "n1", "n2"].map((id) => rig.stateOf(id)),
    ["dead", "dead", "dead"],
  );
  assert.deepEqual(rig.events, ["dead r", "disabled r"]);
  assert.equal(rig.state.auditLog().at(-1)?.reason, "disabled: HTTP 410");
  assert.equal(rig.dispatcher.replay("n1"), false);
  rig.put(webhookReceiver("https://example.org/hook"));
  rig.answer = () => ({ ok: true, answer: "ok" });
  assert.equal(rig.dispatcher.replay("n1"), true);
  await rig.settle();
  assert.equal(rig.stateOf("n1"), "delivered");
});

test("429 keeps the whole receiver quiet for as long as it asks", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => ({ ok: false, retry: true, problem: "HTTP 429", retryAfterSec: 120 });
  rig.tell(notificationOf());
  await rig.settle();
  rig.tell(notificationOf({ id: "n2", group: "other" }));
  await rig.clock.advance(119_000);
  assert.deepEqual(rig.ids(), ["n1"]);
  rig.answer = () => ({ ok: true, answer: "ok" });
  await rig.clock.advance(2000);
  assert.deepEqual(rig.ids().sort(), ["n1", "n1", "n2"]);
});

test("a removed receiver's messages are dropped and say so", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  rig.tell(notificationOf());
  await rig.settle();
  rig.remove("r");
  rig.dispatcher.receiverChanged("r");
  const { state, problem } = rig.state.get("delivery", "n1") ?? {};
  assert.deepEqual([state, problem], ["dropped", "the receiver was removed"]);
});

test("a receiver that was changed is tried at once", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  rig.tell(notificationOf());
  await rig.clock.advance(10 * minute);
  const before = rig.sent.length;
  rig.answer = () => ({ ok: true, answer: "ok" });
  rig.dispatcher.receiverChanged("r");
  assert.equal(rig.sent.length, before + 1);
});

test("a test goes ahead of what waits, is tried once, and answers with what came of it", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  rig.tell(...many(5));
  await rig.settle();
  const before = rig.sent.length;
  const failed = await rig.dispatcher.test(testNotification("r", "test-1", rig.clock.now()));
  assert.deepEqual([failed.state, failed.problem, rig.sent.length], ["dropped", "connect ECONNREFUSED", before + 1]);
  rig.answer = () => ({ ok: true, answer: "HTTP 204" });
  const passed = await rig.dispatcher.test(testNotification("r", "test-2", rig.clock.now()));
  assert.deepEqual([passed.state, passed.attempts[0]?.answer], ["delivered", "HTTP 204"]);
});

test("killed before sending, a message is sent at the next start; killed between sending and recording, once more and no more", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => new Promise(() => undefined);
  rig.state.together(() => rig.dispatcher.enqueue(notificationOf({ id: "decided" })));
  rig.restart();
  assert.deepEqual(rig.ids(), ["decided"]);
  rig.answer = () => ({ ok: true, answer: "ok" });
  rig.restart();
  await rig.settle();
  assert.deepEqual(rig.ids(), ["decided", "decided"]);
  rig.restart();
  await rig.clock.advance(hour);
  assert.deepEqual(rig.ids(), ["decided", "decided"]);
});

test("a restart keeps what waits for a retry, also when the wall clock was set back meanwhile", async (t) => {
  const rig = new DispatchRig(t);
  rig.answer = () => down;
  rig.tell(notificationOf());
  await rig.settle();
  await rig.dispatcher.stop();
  rig.clock.jumpWall(-5 * hour);
  rig.answer = () => ({ ok: true, answer: "ok" });
  rig.restart();
  await rig.clock.advance(16 * minute);
  assert.equal(rig.stateOf("n1"), "delivered");
});

test("5,000 messages at once to a receiver that fails one in ten: each arrives, and arrives once", async (t) => {
  const rig = new DispatchRig(t);
  const arrived = new Map<string, number>();
  let attempts = 0;
  rig.answer = ({ id }) => {
    if (++attempts % 10 === 0) return down;
    arrived.set(id, (arrived.get(id) ?? 0) + 1);
    return { ok: true, answer: "ok" };
  };
  rig.tell(...many(5000));
  while (arrived.size < 5000) await rig.clock.advance(10_000);
  assert.deepEqual(new Set(arrived.values()), new Set([1]));
  assert.equal(rig.dispatcher.log.ids({ state: "delivered" }).length, 5000);
});

test("the log keeps what waits and forgets what is long over", async (t) => {
  const rig = new DispatchRig(t);
  rig.tell(notificationOf({ id: "old" }));
  await rig.clock.advance(31 * 24 * hour);
  rig.tell(notificationOf({ id: "new", group: "other" }));
  await rig.settle();
  assert.equal(rig.dispatcher.log.prune(rig.clock.now()), 1);
  assert.deepEqual([rig.stateOf("old"), rig.stateOf("new")], [undefined, "delivered"]);
});
