import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionView } from "#protocol/api.ts";
import { seenHub } from "../../support/seen-hub.ts";
import { clusterA, testHub } from "../../support/test-hub.ts";

test("a session says whether its user may change settings, and whose agents he may shut out: what the hub refuses is not offered", async (t) => {
  const { gateway } = seenHub(t);
  const rule = { id: "none" };
  for (const [user, settings, agentsOf, refused] of [
    ["root@pam", true, [clusterA], 400],
    ["carol@pve", false, [], 403],
    ["bob@pve", false, [], 403],
  ] as const) {
    const session = (await (await gateway.ask(user, "GET", "/api/v1/session")).json()) as SessionView;
    assert.deepEqual([session.settings, session.agentsOf], [settings, agentsOf], user);
    assert.equal((await gateway.ask(user, "POST", "/api/v1/rules", rule)).status, refused, user);
  }
});

test("a key may what its scopes say: settings with write, agents with admin", async (t) => {
  const hub = testHub(t);
  const of = async (...scopes: Parameters<typeof hub.newKey>) => {
    const headers = { Authorization: `Bearer ${hub.newKey(...scopes)}` };
    const { settings, agentsOf } = (await (
      await hub.app.request("https://hub.lan/api/v1/session", { headers })
    ).json()) as SessionView;
    return { settings, agentsOf };
  };
  assert.deepEqual(await of("read"), { settings: false, agentsOf: [] });
  assert.deepEqual(await of("read", "write"), { settings: true, agentsOf: [] });
  assert.deepEqual(await of("read", "write", "admin"), { settings: true, agentsOf: null });
});
