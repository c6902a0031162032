import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RestoreTest } from "#protocol/restore.ts";
import { parseConfig } from "../../../hub/config.ts";
import { startHub } from "../../../hub/hub.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { loadCertificate } from "../../../hub/tls.ts";
import { AgentClient, newClientKey } from "../../support/agent-client.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { reportOf } from "../../support/operating-agent.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { clusterA, inventoryOf } from "../../support/test-hub.ts";

/** A hub that listens in `dir`, and an agent that has joined it and told what it has. */
async function start(t: TestContext, dir: string, key: ReturnType<typeof newClientKey>, clock: FakeClock, joinKey: Buffer) {
  writeFileSync(join(dir, "join.key"), joinKey.toString("base64"));
  const state = StateStore.open({ dir, now: () => clock.now() });
  const certificate = await loadCertificate(dir, Date.now());
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"`);
  const hub = await startHub({ config, clock, series: new FakeSeries(), state, certificate, log: () => undefined });
  const client = await AgentClient.connect(hub.port);
  t.after(() => client.close());
  await client.hello({ key, fingerprint: certificate.fingerprint, now: clock.now(), joinKey, max: 2 });
  await client.next("welcome");
  const storages = [{ storage: "nfs1", type: "nfs", shared: true, content: ["backup"], enabled: true, nodes: [] }];
  client.send("inventory", inventoryOf({ guests: [{ vmid: 100 }], storages }));
  return { hub, client, state };
}

/** Time passes meanwhile: alerts on their way to an agent that says nothing are waited for some seconds. */
async function stopped({ hub }: Awaited<ReturnType<typeof start>>, clock: FakeClock): Promise<void> {
  let isOver = false;
  const ending = hub.stop().finally(() => {
    isOver = true;
  });
  while (!isOver) await clock.advance(1000);
  await ending;
}

test("over the link: a policy orders a test, the hub restarts, the same order comes again, and the result is acknowledged", async (t) => {
  const [dir, key, clock, joinKey] = [temporaryDir(t), newClientKey(), new FakeClock(Date.UTC(2026, 0, 5)), randomBytes(32)];
  const first = await start(t, dir, key, clock, joinKey);
  const [shipped] = first.state.list("policy");
  assert.ok(shipped !== undefined);
  const enabled = { ...shipped.document, enabled: true, window: { ...shipped.document.window, timezone: "UTC" } };
  first.state.put("policy", shipped.id, enabled, { actor: "test", reason: "test" });
  await stopped(first, clock);

  const second = await start(t, dir, key, clock, joinKey);
  const at = clock.now();
  const backup = { volid: `nfs1:backup/vzdump-qemu-100-${at}.vma.zst`, vmid: 100, type: "qemu" as const, at };
  const backups = [{ ...backup, format: "vma.zst", protected: false, encrypted: false }];
  second.client.send("backups", { storage: "nfs1", shared: true, at, part: 1, parts: 1, backups });
  let start1: Awaited<ReturnType<typeof AgentClient.prototype.next<"op.start">>> | undefined;
  void second.client.next("op.start").then((body) => {
    start1 = body;
  });
  // The window opens at one o'clock; messages come in their own time.
  for (let steps = 0; start1 === undefined && steps < 600; steps++) await clock.advance(30_000);
  assert.ok(start1 !== undefined, "a test was ordered within the window");
  assert.equal((start1.operation.params as RestoreTest).vmid, 100);
  assert.equal(start1.actor, "policy every-guest-monthly");
  await stopped(second, clock);

  const third = await start(t, dir, key, clock, joinKey);
  const again = await third.client.next("op.start");
  assert.equal(again.id, start1.id, "the same order, so that the agent knows it");
  const report = reportOf(again.operation.params as RestoreTest);
  third.client.send("op.result", { id: again.id, result: { kind: "restore-test", report } });
  assert.deepEqual(await third.client.next("op.seen"), { id: again.id });
  assert.equal(third.state.get("run", again.id)?.outcome, "passed");
  assert.equal(third.state.get("proof", `${clusterA}/100`)?.lastGood?.level, "works");
  await stopped(third, clock);
});
