import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { request } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { startTestLab } from "../support/lab-client.ts";
import type { Lab } from "./lab.ts";
import { pbsToken } from "./pbs.ts";

function run(lab: Lab, name: string, argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(join(lab.tree.root("pve1"), "bin", name), argv, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("zpool tells the pool's truth as JSON and in columns, and refuses what it does not know", async (context) => {
  const { lab, clock } = await startTestLab(context);
  const of = (metric: string) => lab.truth("zpool/pve1/tank", metric, undefined, clock.now());
  lab.control.inject({ kind: "zpool", node: "pve1", health: "DEGRADED" });
  type Property = { value: number };
  const listed = JSON.parse((await run(lab, "zpool", ["list", "-j", "--json-int"])).stdout) as {
    pools: { tank: { properties: Record<string, Property> } };
  };
  assert.equal(listed.pools.tank.properties.allocated?.value, of("allocated"));
  const columns = await run(lab, "zpool", ["list", "-Hp", "-o", "name,size,health"]);
  assert.equal(columns.stdout, `tank\t${of("size")}\tDEGRADED\n`);
  const status = JSON.parse((await run(lab, "zpool", ["status", "-j", "--json-int"])).stdout) as {
    pools: { tank: { state: string } };
  };
  assert.equal(status.pools.tank.state, "DEGRADED");
  const bad = await run(lab, "zpool", ["list", "-Z"]);
  assert.deepEqual([bad.code, bad.stderr.split("\n")[0]], [2, "invalid option 'Z'"]);
});

test("lvs gives strings, with the metadata's percentage", async (context) => {
  const { lab } = await startTestLab(context);
  const { stdout } = await run(lab, "lvs", [
    "--reportformat",
    "json",
    "--units",
    "b",
    "--nosuffix",
    "-o",
    "vg_name,lv_name,data_percent,metadata_percent",
  ]);
  const [pool] = (JSON.parse(stdout) as { report: { lv: Record<string, string>[] }[] }).report[0]?.lv ?? [];
  assert.deepEqual([pool?.vg_name, pool?.lv_name], ["pve", "data"]);
  assert.match(pool?.metadata_percent ?? "", /^\d+\.\d\d$/);
});

test("smartctl knows the node's disks and no others", async (context) => {
  const { lab } = await startTestLab(context);
  const good = await run(lab, "smartctl", ["--json=c", "-a", "-n", "standby", "/dev/nvme0n1"]);
  assert.equal((JSON.parse(good.stdout) as { smart_status: { passed: boolean } }).smart_status.passed, true);
  assert.equal((await run(lab, "smartctl", ["--json=c", "-a", "/dev/sdz"])).code, 2);
});

test("the backup server lists snapshots by namespace, to its token only", async (context) => {
  const { lab } = await startTestLab(context);
  const get = (path: string, secret = lab.secrets.pbsSecret) =>
    new Promise<{ status: number; text: string; fingerprint: string }>((resolve, reject) => {
      const url = new URL(`${lab.places().pbs}/api2/json${path}`);
      const headers = { Authorization: `PBSAPIToken ${pbsToken}:${secret}` };
      const outgoing = request(url, { headers, rejectUnauthorized: false, agent: false }, async (incoming) => {
        const { fingerprint256 } = (incoming.socket as import("node:tls").TLSSocket).getPeerCertificate();
        let text = "";
        for await (const chunk of incoming) text += String(chunk);
        resolve({ status: incoming.statusCode ?? 0, text, fingerprint: fingerprint256.toLowerCase() });
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  const answer = await get("/admin/datastore/main/snapshots?ns=pve&backup-id=100");
  assert.equal(answer.fingerprint, lab.secrets.pbsFingerprint, "the one in storage.cfg");
  const snapshots = (JSON.parse(answer.text) as { data: { "backup-id": string; "backup-type": string }[] }).data;
  assert.equal(snapshots.length, 4);
  assert.ok(snapshots.every((snapshot) => snapshot["backup-id"] === "100" && snapshot["backup-type"] === "vm"));
  assert.equal((await get("/admin/datastore/main/snapshots?ns=nosuch")).status, 400);
  assert.equal((await get("/version", "wrong")).status, 401);
});
