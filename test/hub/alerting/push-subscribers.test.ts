import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import { askSight } from "../../../hub/alerting/push-sight.ts";
import { PushSubscribers, type UserSight } from "../../../hub/alerting/push-subscribers.ts";
import { createKey, revokeKey } from "../../../hub/keys.ts";
import { testHub } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };
const browser = (name: string) => ({
  endpoint: `https://push.example.org/${name}`,
  keys: { p256dh: "B".repeat(87), auth: "A".repeat(22) },
});

function subscribers(t: TestContext) {
  const { state, clock, lines } = testHub(t);
  const sights = new Map<string, UserSight>();
  const asked: string[] = [];
  const log = (_: number, line: string) => void lines.push(line);
  const sightOf = async (user: string) => {
    asked.push(user);
    return sights.get(user) ?? "unknown";
  };
  const all = new PushSubscribers({ state, clock, log, sightOf });
  const reached = async () => (await all.entitled()).map(({ subscription }) => subscription.endpoint.split("/").at(-1));
  return { all, state, clock, sights, asked, reached, lines };
}

test("a browser whose owner lost his rights in Proxmox VE gets nothing more, within minutes, and is forgotten", async (t) => {
  const { all, state, clock, sights, reached } = subscribers(t);
  all.add(browser("anna"), { user: "anna@pve" });
  all.add(browser("bert"), { user: "bert@pve" });
  sights.set("anna@pve", "whole").set("bert@pve", "whole");
  assert.deepEqual((await reached()).sort(), ["anna", "bert"]);
  sights.set("bert@pve", "partial");
  await clock.advance(5 * 60_000);
  assert.deepEqual(await reached(), ["anna"]);
  assert.equal(state.list("pushSubscription").length, 1);
  assert.match(state.auditLog().at(-1)?.reason ?? "", /^bert@pve may no longer see everything/);
});

test("a user with several browsers, and several messages, cost one question", async (t) => {
  const { all, sights, asked, reached } = subscribers(t);
  sights.set("anna@pve", "whole");
  all.add(browser("phone"), { user: "anna@pve" });
  await reached();
  all.add(browser("laptop"), { user: "anna@pve" });
  assert.equal((await reached()).length, 2);
  assert.deepEqual(asked, ["anna@pve"]);
});

test("while no agent can ask Proxmox VE, as when the nodes died, its word of the last day counts, and none that is older", async (t) => {
  const { all, state, clock, sights, reached } = subscribers(t);
  all.add(browser("anna"), { user: "anna@pve" });
  await clock.advance(20 * 3_600_000);
  sights.set("anna@pve", "whole");
  assert.deepEqual(await reached(), ["anna"]);
  sights.set("anna@pve", "unknown");
  await clock.advance(23 * 3_600_000);
  assert.deepEqual(await reached(), ["anna"]);
  await clock.advance(3_600_000);
  assert.deepEqual(await reached(), []);
  assert.equal(state.list("pushSubscription").length, 1);
  sights.set("anna@pve", "whole");
  await clock.advance(60_000);
  assert.deepEqual(await reached(), ["anna"]);
});

test("after weeks in which nothing had to be told, a message that all nodes have died reaches who could see everything until then", async (t) => {
  const { all, clock, sights, reached } = subscribers(t);
  sights.set("anna@pve", "whole");
  all.add(browser("anna"), { user: "anna@pve" });
  for (let hour = 0; hour < 48; hour++) {
    await clock.advance(3_600_000);
    await all.keepConfirmed();
  }
  sights.set("anna@pve", "unknown");
  await clock.advance(10 * 60_000);
  assert.deepEqual(await reached(), ["anna"]);
});

test("agents that don't answer are asked once in a minute, not for each message", async (t) => {
  const { all, clock, asked, reached } = subscribers(t);
  all.add(browser("anna"), { user: "anna@pve" });
  for (let second = 0; second < 60; second++) {
    await reached();
    await clock.advance(1000);
  }
  assert.equal(asked.length, 1);
});

test("browsers that subscribed before anybody asked get messages for a day more, and those of an API key while there is one of its name", async (t) => {
  const { all, state, clock, sights, reached } = subscribers(t);
  const put = (id: string, user: string) =>
    state.put("pushSubscription", id, { subscription: browser(id), user, createdAt: clock.now() }, by);
  createKey(state, { name: "wall", scopes: ["write"], expiresInDays: 10 }, by, clock.now());
  await clock.advance(3 * 86_400_000);
  for (const [id, user] of Object.entries({ anna: "anna@pve", wall: "wall", gone: "kiosk" })) put(id, user);
  assert.deepEqual((await reached()).sort(), ["anna", "wall"]);
  await clock.advance(25 * 3_600_000);
  await all.keepConfirmed();
  assert.deepEqual(await reached(), ["wall"]);
  sights.set("anna@pve", "whole");
  await clock.advance(60_000);
  assert.deepEqual((await reached()).sort(), ["anna", "wall"]);
});

test("a browser that was subscribed with an API key gets messages while the key is good", async (t) => {
  const { all, state, clock, asked, reached } = subscribers(t);
  const { stored } = createKey(state, { name: "wall", scopes: ["write"], expiresInDays: 1 }, by, clock.now());
  all.add(browser("wall"), { user: "wall", key: stored.id });
  assert.deepEqual(await reached(), ["wall"]);
  revokeKey(state, stored.id, by, clock.now());
  assert.deepEqual([await reached(), state.list("pushSubscription"), asked], [[], [], []]);
});

test("what one cluster hides is hidden; a cluster whose agents don't answer leaves it unknown", async () => {
  const picture = (cluster: string, ...nodes: string[]) => ({
    cluster: cluster as ClusterId,
    agents: new Map(nodes.map((node) => [node as NodeName, { node: node as NodeName, state: "connected" } as never])),
  });
  const clusters = [picture("a", "mute", "pve1"), picture("b", "pve2")];
  const asks = (seen: Record<string, boolean>) =>
    askSight(clusters, async ({ node }) => {
      const whole = seen[node];
      return whole === undefined ? undefined : { id: "0", state: "ok", whole };
    });
  assert.equal(await asks({ pve1: true, pve2: true }), "whole");
  assert.equal(await asks({ pve1: true, pve2: false }), "partial");
  assert.equal(await asks({ pve1: true }), "unknown");
  assert.equal(await askSight([], async () => undefined), "unknown");
  const former = {
    cluster: "c" as ClusterId,
    agents: new Map([["pve1" as NodeName, { node: "pve1" as NodeName, state: "revoked" } as never]]),
  };
  clusters.push(former);
  assert.equal(await asks({ pve1: true, pve2: true }), "whole", "a cluster whose agents were all revoked is no more");
});
