import assert from "node:assert/strict";
import { test } from "node:test";
import { type MessageOf, parseMessage } from "#protocol/messages.ts";
import { isLoginAnswer, LoginAsks } from "../../../hub/link/login-asks.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { labView } from "../../support/pve-users.ts";
import { agentOf } from "../../support/test-hub.ts";

const [pve1, pve2] = [agentOf("pve1"), agentOf("pve2")];

function asksOf(options: { reachable: boolean } = { reachable: true }) {
  const clock = new FakeClock();
  const sent: { type: string; id: string }[] = [];
  const asks = new LoginAsks({
    clock,
    send: (_, type, body) => {
      sent.push({ type, id: "id" in body ? body.id : "" });
      return options.reachable;
    },
  });
  return { clock, sent, asks, idOf: (index: number) => sent[index]?.id ?? "" };
}
const refused = (id: string) => ({ type: "login.result" as const, body: { id, state: "refused" as const } });

test("an answer reaches who asked, by its id", async () => {
  const { asks, sent, idOf } = asksOf();
  const first = asks.ask(pve1, "login.start", { user: "carol", realm: "pve", password: "x" });
  const second = asks.ask(pve1, "login.realms", {});
  assert.deepEqual(
    sent.map(({ type }) => type),
    ["login.start", "login.realms"],
  );
  assert.match(idOf(0), /^[0-9a-f]{32}$/);
  assert.equal(asks.answered(pve1, { type: "login.realms.result", body: { id: idOf(1), state: "ok", realms: [] } }), true);
  assert.equal(asks.answered(pve1, refused(idOf(0))), true);
  assert.deepEqual([(await first)?.state, (await second)?.state], ["refused", "ok"]);
  assert.equal(asks.answered(pve1, refused(idOf(0))), false, "answered before");
});

test("another agent's answer, and one to another question, is nobody's", async () => {
  const { asks, idOf, clock } = asksOf();
  const asked = asks.ask(pve1, "login.start", { user: "carol", realm: "pve", password: "x" });
  assert.equal(asks.answered(pve2, refused(idOf(0))), false);
  assert.equal(asks.answered(pve1, { type: "login.view.result", body: { id: idOf(0), state: "ended" } }), false);
  await clock.advance(15_000);
  assert.equal(await asked, undefined, "nobody answered in time");
});

test("an agent that can't be asked, or whose connection is lost, gives no answer", async () => {
  const away = asksOf({ reachable: false });
  assert.equal(await away.asks.ask(pve1, "login.realms", {}), undefined);
  const { asks } = asksOf();
  const [lost, other] = [asks.ask(pve1, "login.realms", {}), asks.ask(pve2, "login.realms", {})];
  asks.lost(pve1);
  assert.equal(await lost, undefined);
  asks.lost(pve2);
  assert.equal(await other, undefined);
});

test("of a bad message that may hold a secret only the type is told, of another what is wrong", () => {
  const start = { id: "0".repeat(32), user: "carol", realm: "pve", password: "pw", s3cret: true };
  assert.deepEqual(parseMessage({ type: "login.start", body: start }, "hub", 2), {
    ok: false,
    about: "login.start",
    problem: "its body is not one of this type",
  });
  const ack = parseMessage({ type: "ack", body: { seq: "many" } }, "hub", 2);
  assert.match(ack.ok ? "" : ack.problem, /expected number/);
});

test("a user's view fits the message that carries it, and what says too little is no answer", () => {
  const handle = "0".repeat(64);
  const body = { id: "0".repeat(32), state: "ok", session: handle, user: "root@pam", view: labView("root@pam"), viewAt: 1 };
  const parsed = parseMessage({ type: "login.result", body }, "agent", 2);
  assert.ok(parsed.ok && isLoginAnswer(parsed.message));
  const { view: _, ...less } = body;
  assert.equal(parseMessage({ type: "login.result", body: less }, "agent", 2).ok, false);
  assert.equal(parseMessage({ type: "login.result", body }, "agent", 1).ok, false, "not in version 1 of the link");
  const hub: MessageOf<"login.end"> = { type: "login.end", body: { session: handle } };
  assert.equal(parseMessage(hub, "agent", 2).ok, false, "only the hub ends a session");
});
