import assert from "node:assert/strict";
import { test } from "node:test";
import { nastyContainer, setUpRestores } from "../support/lab-restores.ts";

const nets = { net0: "name=eth0,bridge=sandbox0,link_down=1", net1: "name=eth1,bridge=sandbox0,link_down=1" };

test("a container restored as recommended is isolated; its bind mount, hookscript and raw lines are still there", async (context) => {
  const { lab, clock, restoreContainer, done, log, read } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyContainer);
  const upid = await restoreContainer(volid, nets);
  await clock.advance(1000);
  const file = "etc/pve/nodes/pve1/lxc/9230.conf";
  assert.equal(read("pve1", file), "lock: create\n");
  assert.equal(await done(upid), "OK");
  const text = read("pve1", file);
  assert.match(text, /^net0: name=eth0,bridge=sandbox0,hwaddr=BC:24:11:..:..:..,link_down=1,type=veth$/m);
  assert.match(text, /^mp1: \/srv\/bindme,mp=\/host$/m);
  assert.match(text, /^hookscript: nfs1:snippets\/h\.sh$/m);
  assert.ok(text.endsWith("unprivileged: 1\nlxc.mount.entry: /srv/bindme srv/raw none bind,create=dir 0 0\n"), text);
  assert.ok(text.startsWith("#proven-test op=1\n"), text);
  assert.deepEqual(log(upid).slice(-2), ["merging backed-up and given configuration..", "TASK OK"]);
  assert.equal(log(upid)[0], `recovering backed-up configuration from '${volid}'`);
});

test("with unique every network of the call is dropped without a word: the copy is on the production bridge, and the lab says so", async (context) => {
  const { lab, restoreContainer, done, read } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyContainer);
  assert.equal(await done(await restoreContainer(volid, { ...nets, unique: "1" })), "OK");
  const text = read("pve1", "etc/pve/nodes/pve1/lxc/9230.conf");
  assert.match(text, /^net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:..:..:..,ip=dhcp,type=veth$/m);
  assert.ok(!text.includes("BC:24:11:0D:1F:BF"), "the MAC is a new one");
  assert.match(lab.restores.safety.violations.join(), /restore of a container to 9230 with unique=1/);
});
