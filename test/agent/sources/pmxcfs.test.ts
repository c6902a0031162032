import assert from "node:assert/strict";
import { test } from "node:test";
import { generate } from "selfsigned";
import { PmxcfsSource } from "../../../agent/sources/pmxcfs.ts";

test("a cluster's node whose corosync.conf can't be read when its agent starts is not taken for a lone one", async () => {
  const { cert } = await generate([{ name: "commonName", value: "CA" }], { keyType: "ec" });
  const files: Record<string, string> = {
    ".version": JSON.stringify({ starttime: 1, vmlist: 1, "storage.cfg": 1, "user.cfg": 1, "corosync.conf": 1 }),
    ".members": JSON.stringify({ nodename: "pve1", version: 0 }),
    ".vmlist": JSON.stringify({ version: 1, ids: {} }),
    "storage.cfg": "",
    "user.cfg": "",
    "pve-root-ca.pem": cert,
  };
  let code = "EIO";
  const pmxcfs = new PmxcfsSource(async (path) => {
    const text = files[path.replace("/etc/pve/", "")];
    return text === undefined ? { ok: false, code } : { ok: true, text };
  });
  assert.equal(await pmxcfs.identify(), undefined);
  code = "ENOENT";
  const alone = await pmxcfs.identify();
  assert.deepEqual([alone?.node, alone?.clusterName], ["pve1", undefined]);
  files[".version"] = JSON.stringify({ starttime: 1, vmlist: 1, "storage.cfg": 1, "user.cfg": 1, "corosync.conf": 2 });
  files["corosync.conf"] = "totem {\n  cluster_name: home\n}\n";
  const clustered = await pmxcfs.identify();
  assert.equal(clustered?.clusterName, "home");
  assert.notEqual(clustered?.clusterId, alone?.clusterId);
});
