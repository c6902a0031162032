import assert from "node:assert/strict";
import { test } from "node:test";
import { type Write, writes, writtenHub } from "../../support/api-writes.ts";

/** Who signs in is the actor; all else is done with the one key. */
const actors: Record<string, string> = {
  "POST /api/v1/session/login": "bob@pve",
  "POST /api/v1/session/login/answer": "root@pam",
};
const actorOf = ({ operation }: Write) => actors[operation] ?? "read+write+admin+ingest";

/** GETs change nothing: auth.ts gives them to keys with the scope read, and viewers.test.ts tries each. */
test("every operation that is no GET leaves an audit entry with who did it, or says why it needs none", async (t) => {
  const { hub, app, send, named, agent } = await writtenHub(t);
  const document = await app.request("https://hub.lan/api/v1/openapi.json", {
    headers: { Authorization: `Bearer ${named.get("secret")}` },
  });
  const { paths } = (await document.json()) as { paths: Record<string, Record<string, unknown>> };
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).flatMap((method) => (method === "get" ? [] : [`${method.toUpperCase()} ${path}`])),
  );
  assert.deepEqual(writes.map(({ operation }) => operation).sort(), documented.sort(), "add a row to test/support/api-writes.ts");

  const giveToAgent = () => {
    const run = hub.restore.book.get(named.get("run") ?? "");
    assert.ok(run);
    const sent = { ...run, state: "sent" as const, node: agent.node, sentAt: hub.clock.now() };
    hub.restore.book.save(sent, { actor: "hub", reason: "given to pve1" });
  };
  for (const write of writes) {
    const { length } = hub.state.auditLog();
    const { status, text } = await send(write);
    assert.equal(status, write.status, `${write.operation}: ${text}`);
    const entries = hub.state.auditLog().slice(length);
    const told = entries.map(({ action, kind }) => [action, kind]);
    assert.deepEqual(told, "entries" in write ? write.entries : [], write.operation);
    assert.deepEqual(
      entries.map(({ actor }) => actor),
      entries.map(() => actorOf(write)),
      write.operation,
    );
    assert.ok(
      entries.every(({ id, reason }) => id !== "" && reason !== ""),
      write.operation,
    );
    if (write.operation === "POST /api/v1/restore-tests") giveToAgent();
  }
  assert.equal(hub.state.verifyAudit().ok, true);
});
