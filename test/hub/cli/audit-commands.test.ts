import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../../hub/cli/commands.ts";
import { createKey, revokeKey } from "../../../hub/keys.ts";
import { testHub } from "../../support/test-hub.ts";

/** A hub in which alice made three keys and root took one away. */
function hubWithLog(t: Parameters<typeof testHub>[0]) {
  const hub = testHub(t);
  const now = hub.clock.now();
  const made = ["ci", "grafana", "ha"].map((name) => {
    const wanted = { name, scopes: ["read" as const], expiresInDays: 1 };
    return createKey(hub.state, wanted, { actor: "alice@pve", reason: "made\nby the API" }, now).stored.id;
  });
  revokeKey(hub.state, made[1] ?? "", { actor: "root@pam", reason: "revoked by the API" }, now);
  const list = async (...args: string[]): Promise<string[]> => {
    const said: string[] = [];
    const ports = { state: hub.state, now, user: "root", fingerprint: async () => "", agentUrls: () => [] };
    await commands["audit list"]?.run(args, { ...ports, say: (line) => said.push(line) });
    return said;
  };
  return { hub, made, now, list };
}

test("the audit log is read with a command: who, what, which, why, a line each, the newest first", async (t) => {
  const { made, now, list } = hubWithLog(t);
  const at = new Date(now).toISOString();
  assert.deepEqual(await list("--kind", "apiKey"), [
    `${at}  root@pam  update apiKey  ${made[1]}  revoked by the API`,
    `${at}  alice@pve  create apiKey  ${made[2]}  made by the API`,
    `${at}  alice@pve  create apiKey  ${made[1]}  made by the API`,
    `${at}  alice@pve  create apiKey  ${made[0]}  made by the API`,
  ]);
  assert.deepEqual((await list("--actor", "root@pam")).length, 1);
  assert.deepEqual((await list("--actor", "alice@pve", "--limit", "2")).length, 2);
});

test("the log is read page by page, each entry once, and nothing of a document but its name", (t) => {
  const { hub, made } = hubWithLog(t);
  const first = hub.state.auditPage({ kind: "apiKey" }, { limit: 3, cursor: undefined });
  const rest = hub.state.auditPage({ kind: "apiKey" }, { limit: 3, cursor: first.next ?? undefined });
  assert.deepEqual(
    [...first.items, ...rest.items].map(({ id }) => id),
    [made[1], made[2], made[1], made[0]],
  );
  assert.equal(rest.next, null);
});
