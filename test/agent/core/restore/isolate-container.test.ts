import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBackedUpConfig, parseDiskSize } from "../../../../agent/core/restore/backed-up-config.ts";
import { planContainer, startsOwnProgram, stripContainerFile } from "../../../../agent/core/restore/isolate-container.ts";
import type { Isolation } from "../../../../agent/core/restore/isolation.ts";

const isolation: Isolation = {
  operation: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
  testVmid: 9230,
  source: { vmid: 210, volid: "backups:backup/vzdump-lxc-210-2026_11_23-02_43_40.tar.zst" },
  storage: "vmstore",
  bridge: "pvt0",
  keepMacs: true,
};
const root = "rootfs: local-lvm:vm-210-disk-0,size=2G\n";
const planOf = (lines: string) => planContainer(parseBackedUpConfig("lxc", `${root}${lines}`), isolation);

test("what stands below a snapshot's head in a configuration is not the guest's", () => {
  const { values, unreadable } = parseBackedUpConfig("lxc", `${root}memory: 512\n[before]\nmemory: 64\nnet0: name=eth0\n???\n`);
  assert.deepEqual([values.get("memory"), values.has("net0"), unreadable], ["512", false, []]);
});

test("a line that can't be read is named, and then nothing is restored", () => {
  const { refusals } = planOf("no key and value\n# a comment\n\n");
  assert.deepEqual(refusals, ["a line of the configuration can't be read: no key and value"]);
  assert.deepEqual(planOf("# a comment\n\n").refusals, []);
});

test("a disk's size is read in PVE's powers of 1024, and nothing else is one", () => {
  const sizes = ["128", "512K", "1.5G", "2T"].map(parseDiskSize);
  assert.deepEqual(sizes, [128, 524_288, 1_610_612_736, 2_199_023_255_552]);
  assert.deepEqual(["", "1g", "1GB", "-1G", undefined].map(parseDiskSize), Array(5).fill(undefined));
});

test("of raw lines only those of its first process stay, and numbers of files that are not the host's root", () => {
  const kept = ["lxc.init.cmd: /bin/shop", "lxc.idmap: u 0 100000 65536", "lxc.signal.halt: SIGQUIT"];
  const gone = ["lxc.idmap: u 0 0 65536", "lxc.cgroup2.devices.allow: u 0 100000 65536", "lxc.mount.entry: /srv srv none bind"];
  const { strip } = planOf(`${[...kept, ...gone].join("\n")}\n`);
  assert.deepEqual(
    strip.map(({ key, why }) => [key, why]),
    ["lxc.idmap", "lxc.cgroup2.devices.allow", "lxc.mount.entry"].map((key) => [
      key,
      "raw configuration of LXC can reach anything on the host",
    ]),
  );
  const { text, removed } = stripContainerFile(`${root}${[...kept, ...gone].join("\n")}\n`);
  assert.equal(text, `${root}${kept.join("\n")}\n`);
  assert.deepEqual(removed, ["lxc.idmap", "lxc.cgroup2.devices.allow", "lxc.mount.entry"]);
});

const removals: [line: string, why: string][] = [
  ["hookscript: local:snippets/hook.sh", "runs on the host"],
  ["dev0: /dev/dri/card0", "a device of the host"],
  ["mp0: /srv/data,mp=/data", "a directory of the host"],
  ["mp0: data,mp=/data", "a directory of the host"],
  ["startup: order=1", "belongs to production"],
  ["something: new", "not known to be harmless"],
];
for (const [line, why] of removals) {
  test(`a container is tested without "${line}": ${why}`, () => {
    const key = line.slice(0, line.indexOf(":"));
    assert.deepEqual(planOf(`${line}\n`).strip, [{ key, why }]);
    assert.deepEqual(stripContainerFile(`${root}${line}\nmemory: 512\n`), { text: `${root}memory: 512\n`, removed: [key] });
  });
}

test("a mount point on a storage stays, as its data is in the backup; without a root on one nothing is restored", () => {
  assert.deepEqual(planOf("mp0: local-lvm:vm-210-disk-1,mp=/data,size=1G\n").strip, []);
  const refusalsOf = (text: string) => planContainer(parseBackedUpConfig("lxc", text), isolation).refusals;
  assert.deepEqual(refusalsOf("rootfs: /srv/ct\n"), ["its root is a directory of the host, which no backup holds"]);
  assert.deepEqual(refusalsOf("memory: 512\n"), ["the configuration names no root file system"]);
});

test("a card without a name that the kernel takes ends the test before the restore", () => {
  for (const net of ["bridge=vmbr0,type=veth", "name=a b,bridge=vmbr0", "name=eth0123456789abc,bridge=vmbr0", "name=../x"]) {
    assert.equal(planOf(`net0: ${net}\n`).refusals.length, 1, net);
  }
  assert.deepEqual(planOf("net0: name=eth0123456789ab,bridge=vmbr0\n").refusals, []);
});

test("a container keeps its address where its network has room for a neighbour; else, and in a shared sandbox, it asks for one", () => {
  const net = (ip: string, keepMacs = true) => {
    const config = parseBackedUpConfig(
      "lxc",
      `${root}net0: name=eth0,bridge=vmbr0,gw=192.168.5.1,hwaddr=BC:24:11:00:00:01,ip=${ip}\n`,
    );
    return planContainer(config, { ...isolation, keepMacs }).create.net0;
  };
  const card = (ip: string) => `name=eth0,bridge=pvt0,link_down=1,ip=${ip}`;
  for (const ip of ["192.168.5.7/24", "10.0.0.2/8", "10.0.0.2/30"]) assert.equal(net(ip), card(ip));
  for (const ip of ["10.0.0.2/31", "10.0.0.2/32", "10.0.0.2/7", "dhcp", "manual"]) assert.equal(net(ip), card("dhcp"));
  assert.equal(net("192.168.5.7/24", false), card("dhcp"));
});

test("memory, pool and a limit of the restore are given where the node gives them, and only then", () => {
  const { create } = planOf("");
  for (const key of ["memory", "pool", "bwlimit"]) assert.ok(!(key in create), key);
  const given = planContainer(parseBackedUpConfig("lxc", root), {
    ...isolation,
    memoryMib: 300,
    pool: "tests",
    bwlimitKib: 1024,
  });
  assert.deepEqual([given.create.memory, given.create.pool, given.create.bwlimit], ["300", "tests", "1024"]);
});

test("a container runs its own program where its entry point, or a raw line, names another than init", () => {
  assert.equal(startsOwnProgram({ entrypoint: "/sbin/init", lxc: [["lxc.init.cmd", "/bin/shop"]] }), false);
  assert.equal(startsOwnProgram({ entrypoint: "/docker-entrypoint.sh nginx" }), true);
  assert.equal(startsOwnProgram({ lxc: [["lxc.init.cwd", "/"]] }), false);
  assert.equal(startsOwnProgram({ lxc: ["lxc.init.cmd", ["lxc.init.cmd", "/bin/shop"]] }), true);
  assert.equal(startsOwnProgram({}), false);
});
