import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createApp } from "../../../hub/http/app.ts";
import { ruleOf } from "../../support/alert-views.ts";
import { FakeLogins } from "../../support/fake-logins.ts";
import { testHub } from "../../support/test-hub.ts";

/** As LMDB throws it where the disk is full: checked with a file system of 8 MiB. */
const noSpace = () =>
  Object.assign(new Error("No space left on device: Attempting to write page at position 36864"), { code: 28 });

function fullHub(t: TestContext) {
  const hub = testHub(t);
  const key = hub.newKey("read", "write");
  const app = createApp({ ...hub.httpPorts, logins: new FakeLogins(() => hub.clock.now()) });
  for (const write of ["put", "update", "note", "remove"] as const) {
    t.mock.method(hub.state, write, () => {
      throw noSpace();
    });
  }
  const ask = (method: string, path: string, headers: Record<string, string>, body?: object) =>
    app.request(`https://hub.lan/api/v1/${path}`, {
      method,
      headers: { Host: "hub.lan", "X-Proven": "1", "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { hub, ask, authorization: { Authorization: `Bearer ${key}` } };
}

test("with a full disk everything can be looked at, with a key that was never used before, too", async (t) => {
  const { ask, authorization } = fullHub(t);
  for (const path of ["health", "nodes", "guests", "alerts"]) assert.equal((await ask("GET", path, authorization)).status, 200);
});

test("with a full disk people sign in and out; the journal has what the audit log can't take", async (t) => {
  const { hub, ask } = fullHub(t);
  const entered = await ask("POST", "session/login", {}, { user: "carol", realm: "pve", password: "right" });
  assert.equal(entered.status, 200);
  const [cookie = ""] = (entered.headers.getSetCookie()[0] ?? "").split(";");
  assert.equal((await ask("GET", "nodes", { Cookie: cookie })).status, 200);
  assert.equal((await ask("DELETE", "session", { Cookie: cookie })).status, 204);
  const missing = hub.lines.filter((line) => line.startsWith("not in the audit log"));
  assert.deepEqual(
    missing.map((line) => /by (\S+): (.*)$/.exec(line)?.slice(1)),
    [
      ["carol@pve", "signed in with Proxmox VE"],
      ["carol@pve", "signed out"],
    ],
  );
});

test("what can't be written on a full disk is refused as that, and not as a fault of the hub", async (t) => {
  const { ask, authorization } = fullHub(t);
  const refused = await ask("POST", "rules", authorization, { ...ruleOf(), id: "mine" });
  const { error } = (await refused.json()) as { error: { code: string; message: string } };
  assert.deepEqual([refused.status, error.code], [507, "disk-full"]);
  assert.match(error.message, /nothing was changed: make room/);
});
