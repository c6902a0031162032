import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { EntityKey } from "#protocol/ids.ts";
import { assembleHub } from "../../hub/assembly.ts";
import { ConfigError, parseConfig } from "../../hub/config.ts";
import { openExchange } from "../../hub/exchange.ts";
import { temporaryDir } from "../support/temporary-dir.ts";
import { agentOf, inventoryOf, testHub } from "../support/test-hub.ts";
import { WriteReceiver } from "../support/write-receiver.ts";

test("exchange: a hub with [remote_write] sends on what it takes, and /metrics counts it", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const hub = testHub(t);
  const token = join(temporaryDir(t), "token");
  writeFileSync(token, "scrape-me\n");
  const settings = `state = "${hub.config.state}"
[metrics]
token_file = "${token}"
[remote_write]
url = "${receiver.url}"
allow_loopback = true`;
  const { app, exchange, fleet } = assembleHub({ ...hub, config: parseConfig(settings) });
  t.after(() => exchange.stop());
  fleet.inventory(agentOf("pve1"), inventoryOf({ guests: [{ vmid: 100, name: "web01" }] }));
  const at = hub.clock.now();
  hub.series.put(agentOf("pve1"), "guest/100" as EntityKey, "cpu", at, 0.25);
  await hub.clock.advance(5000);
  const answer = await app.request("/metrics", { headers: { Authorization: "Bearer scrape-me" } });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  assert.match(text, /^pve_cpu_usage_ratio\{id="qemu\/100"\} 0\.25$/m);
  assert.match(text, /^proven_remote_write_requests_total 1$/m);
  await exchange.stop();
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", at), [["qemu/100", 0, 0.25]]);
});

test("exchange: the scrape token opens nothing but /metrics", async (t) => {
  const hub = testHub(t);
  const headers = { Authorization: `Bearer ${hub.newKey("read")}` };
  assert.equal((await hub.app.request("/metrics", { headers })).status, 200);
  assert.equal((await hub.app.request("/metrics")).status, 401);
  assert.equal((await hub.app.request("/api/v1/nodes", { headers: { Authorization: "Bearer scrape-me" } })).status, 401);
});

test("exchange: a file that can't be read names its section", (t) => {
  const hub = testHub(t);
  const config = parseConfig('[metrics]\ntoken_file = "/nonexistent/token"');
  const ports = { ...hub, config, reader: hub.series.reader, live: hub.series.live, pictures: () => [], hubRows: () => [] };
  assert.throws(
    () => openExchange(ports),
    (error) => error instanceof ConfigError && /^metrics: .*\/nonexistent\/token/.test(error.message),
  );
});

test("exchange: a misspelt setting is told with the one that was meant", () => {
  assert.throws(
    () => parseConfig('[remote_write]\nurl = "https://vm.example.org/api/v1/write"\npasword_file = "/x"'),
    /unknown key remote_write.pasword_file: did you mean password_file\?/,
  );
});
