import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { newDelivery } from "../../../hub/core/delivery.ts";
import { createApp } from "../../../hub/http/app.ts";
import { endSessions } from "../../../hub/keys.ts";
import { alertOf } from "../../support/alert-views.ts";
import { FakeAlerting } from "../../support/fake-alerting.ts";
import { noon, notificationOf } from "../../support/notifications.ts";
import { testHub } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };
const hourMs = 3_600_000;
const silencesOf = (hub: ReturnType<typeof linkHub>["hub"]) => hub.state.list("silence").map(({ document }) => document);

/** A hub whose receiver `phone` was told at noon that two alerts fire. */
function linkHub(t: TestContext) {
  const hub = testHub(t);
  const alerting = new FakeAlerting(hub.state);
  alerting.alerts = [alertOf({ firedAt: noon }), alertOf({ firedAt: noon, entity: "guest/101", text: "db <b> is busy" })];
  const app = createApp({ ...hub.httpPorts, alerting });
  const message = notificationOf({ receiver: "phone", alerts: alerting.alerts });
  hub.state.put("delivery", message.id, newDelivery(message, hub.clock.now()), by);
  const links = hub.delivery.links.of(message);
  const ask = async (method: "GET" | "POST" | "HEAD", url = links[0]?.url ?? "", language = "en", accept = "text/html") => {
    const answer = await app.request(url, { method, headers: { "Accept-Language": language, Accept: accept } });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  return { hub, alerting, message, acknowledge: links[0]?.url ?? "", silence: links[1]?.url ?? "", ask };
}

test("a link scanner that follows the link changes nothing; the button on its page acknowledges what fires", async (t) => {
  const { hub, alerting, ask, acknowledge } = linkHub(t);
  for (const method of ["GET", "HEAD", "GET"] as const) assert.equal((await ask(method)).status, 200);
  assert.deepEqual(
    alerting.alerts.map(({ acknowledged }) => acknowledged),
    [null, null],
  );
  const page = await ask("GET");
  assert.match(page.text, /<h1>Acknowledge\?<\/h1>/);
  assert.match(page.text, /db &lt;b&gt; is busy/);
  assert.equal(page.headers.get("cache-control"), "no-store");
  assert.equal(page.headers.get("referrer-policy"), "no-referrer");
  assert.match((await ask("POST")).text, /<h1>Acknowledged<\/h1>/);
  const taken = { by: "a link sent to phone", at: hub.clock.now(), until: null, note: null };
  assert.deepEqual(
    alerting.alerts.map(({ acknowledged }) => acknowledged),
    [taken, taken],
  );
  assert.match((await ask("GET", acknowledge)).text, /taken it already[\s\S]*Taken by a link sent to phone\./);
});

test("the button of a notification does the same, and gets what came of it as JSON", async (t) => {
  const { alerting, ask, acknowledge } = linkHub(t);
  const asked = await ask("GET", acknowledge, "it", "application/json");
  assert.deepEqual([asked.status, JSON.parse(asked.text).heading], [200, "Prendere in carico?"]);
  const takenBy = () => alerting.alerts[0]?.acknowledged?.by;
  assert.equal(takenBy(), undefined);
  const done = await ask("POST", acknowledge, "en", "application/json");
  assert.deepEqual(JSON.parse(done.text), {
    heading: "Acknowledged",
    lines: ["No repeats, no escalation. Its end is still told."],
  });
  assert.equal(done.headers.get("cache-control"), "no-store");
  assert.equal(takenBy(), "a link sent to phone");
  assert.equal((await ask("POST", `${acknowledge}x`, "en", "application/json")).status, 404);
});

test("a link that silences does so for four hours, and pressing it again does not prolong that", async (t) => {
  const { hub, alerting, ask, silence } = linkHub(t);
  assert.match((await ask("POST", silence)).text, /Quiet until 2026-01-05 16:00 UTC/);
  await hub.clock.advance(hourMs);
  assert.match((await ask("POST", silence)).text, /Quiet until 2026-01-05 16:00 UTC/);
  const [made, ...others] = silencesOf(hub);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [made?.alerts, made?.endsAt, made?.createdBy],
    [alerting.alerts.map(({ id }) => id), noon + 4 * hourMs, "a link sent to phone"],
  );
  assert.equal(
    alerting.alerts.every(({ acknowledged }) => acknowledged === null),
    true,
  );
});

test("a link serves one purpose: changed, cut or for another action it is refused", async (t) => {
  const { hub, alerting, ask, acknowledge } = linkHub(t);
  const [claim = "", mac = ""] = (acknowledge.split("/act/")[1] ?? "").split(".");
  const other = Buffer.from(Buffer.from(claim, "base64url").toString().replace("acknowledge", "silence")).toString("base64url");
  const later = Buffer.from(
    Buffer.from(claim, "base64url")
      .toString()
      .replace(/\n\d+\n/, "\n9999999999999\n"),
  ).toString("base64url");
  for (const token of [`${other}.${mac}`, `${later}.${mac}`, claim, `${claim}.`, `${claim}.${mac.slice(1)}`, "%00", "x.y"]) {
    for (const method of ["GET", "POST"] as const)
      assert.equal((await ask(method, `https://hub.lan/act/${token}`)).status, 404, token);
  }
  assert.deepEqual([alerting.alerts.some(({ acknowledged }) => acknowledged !== null), silencesOf(hub)], [false, []]);
});

test("after three days, or once the message is forgotten, a link does nothing and says where else", async (t) => {
  const { hub, alerting, ask } = linkHub(t);
  await hub.clock.advance(72 * hourMs - 1);
  assert.equal((await ask("GET")).status, 200);
  await hub.clock.advance(1);
  const late = await ask("POST");
  assert.deepEqual([late.status, /in the panel instead/.test(late.text)], [410, true]);
  assert.equal(
    alerting.alerts.every(({ acknowledged }) => acknowledged === null),
    true,
  );
  const fresh = linkHub(t);
  fresh.hub.state.remove("delivery", fresh.message.id, by);
  assert.equal((await fresh.ask("POST")).status, 410);
});

test("after all sessions were ended a link that is out acts no more, and a new one does", async (t) => {
  const { hub, ask, message } = linkHub(t);
  endSessions(hub.state, by, message.at as EpochMs);
  assert.equal((await ask("POST")).status, 410);
  const [later] = hub.delivery.links.of({ ...message, at: (message.at + 1) as EpochMs });
  assert.equal((await ask("GET", later?.url)).status, 200);
});

test("what ended and fires again was never seen by who got the link: the old link does not take it", async (t) => {
  const { alerting, ask } = linkHub(t);
  alerting.alerts = alerting.alerts.map((alert) => ({ ...alert, firedAt: noon + hourMs }));
  assert.match((await ask("POST")).text, /It is over already/);
  assert.equal(
    alerting.alerts.every(({ acknowledged }) => acknowledged === null),
    true,
  );
});

test("the page speaks the browser's language and works without a script", async (t) => {
  const { ask } = linkHub(t);
  const { text } = await ask("GET", undefined, "it-IT,it;q=0.9,en;q=0.8");
  assert.match(text, /<html lang="it">[\s\S]*Prendere in carico\?/);
  assert.doesNotMatch(text, /<script/);
  assert.match(text, /<form method="post"><button type="submit">/);
});
