import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "#protocol/messages.ts";
import type { RestoreTest } from "#protocol/restore.ts";
import { restoredBytes, restoreFraction } from "../../../agent/core/restore/task-progress.ts";
import { NodeView } from "../../../agent/restore/node-view.ts";
import { newId, plantTest, startOperations, startRestoreNode, statesOf } from "../../support/restore-node.ts";

for (const type of ["qemu", "lxc"] as const) {
  for (const storage of ["nfs1", "pbs1"] as const) {
    test(`a ${type} backup on ${storage} is proven to work, and nothing of the test is left`, async (t) => {
      const node = await startRestoreNode(t);
      const before = node.lab.restores.inventory();
      const order = plantTest(node, type, {}, { storage, firewall: "[OPTIONS]\nenable: 1\n" });
      const agent = startOperations(node);
      const id = newId();
      agent.start(id, { kind: "restore-test", params: order });
      const report = await agent.report(id);
      assert.equal(
        report.reason,
        `The backup is good: it restores, boots and works; its bytes are verified by the ${storage === "pbs1" ? "Backup Server" : "compressor's checksum"}`,
      );
      assert.deepEqual([report.outcome, report.level, report.leftovers, report.testVmid], ["passed", "works", [], 990_000]);
      assert.deepEqual(statesOf(report.steps), {
        locate: "passed",
        configuration: "passed",
        preflight: "passed",
        integrity: "passed",
        plan: "passed",
        sandbox: "passed",
        restore: "passed",
        compare: "passed",
        strip: "passed",
        "compare-again": "passed",
        unlock: "passed",
        start: "passed",
        heartbeat: "passed",
        network: "passed",
        checks: "passed",
        screenshot: "skipped",
        benchmark: "skipped",
        keep: "skipped",
        stop: "passed",
        destroy: "passed",
      });
      assert.deepEqual(node.lab.restores.inventory(), before);
      assert.deepEqual([node.lab.restores.safety.violations, node.lab.misuses], [[], []]);
      const told = fractionsIn(agent.said, "restore");
      // A container's task says nothing of its way, so nothing is told.
      assert.equal(told.length > 0, type === "qemu", `${told}`);
      assert.deepEqual(
        told,
        told.toSorted((a, b) => a - b),
      );
      assert.deepEqual(fractionsIn(agent.said, "compare"), []);
    });
  }
}

for (const [storage, state, reason, measures] of [
  ["local-lvm", "passed", "Read at the node, from /dev/pve/vm-990000-disk-0", [263_172_016, 9800]],
  [
    "local-zfs",
    "skipped",
    "local-zfs:subvol-990000-disk-0 is a data set or a folder, not a disk: reads of it come from the node's memory",
    [undefined, undefined],
  ],
] as const) {
  test(`how fast a container's disk on ${storage} is read: ${state}, and the record says how or why`, async (t) => {
    const node = await startRestoreNode(t);
    const agent = startOperations(node);
    const id = newId();
    agent.start(id, { kind: "restore-test", params: plantTest(node, "lxc", { benchmark: true, storage }) });
    const report = await agent.report(id);
    const step = report.steps.find((one) => one.step === "benchmark");
    assert.deepEqual([report.outcome, step?.state, step?.reason], ["passed", state, reason]);
    assert.deepEqual([report.measures.sequentialRead, report.measures.randomRead], measures);
    assert.deepEqual([node.lab.restores.safety.violations, node.lab.misuses], [[], []]);
  });
}

const bootedNets: [what: string, type: "qemu" | "lxc", order: Partial<RestoreTest>, net: RegExp][] = [
  [
    "a VM whose services are checked boots with its link, and as the machine that its network knows",
    "qemu",
    {},
    /^net0: virtio=BC:24:11:00:00:01,bridge=pvt[0-9a-f]{8},link_down=0$/m,
  ],
  [
    "a VM whose agent is all that is asked has no link",
    "qemu",
    { checks: [{ name: "alive", kind: "agent-ping" }] },
    /^net0: .*,link_down=1$/m,
  ],
  [
    "in a sandbox that tests share a VM has a MAC of its own",
    "qemu",
    { sandbox: "shop" },
    /^net0: virtio=(?!BC:24:11:00:00:01)/m,
  ],
  ["a container boots with its link, too", "lxc", {}, /^net0: name=eth0,bridge=pvt[0-9a-f]{8},.*link_down=0/m],
];
for (const [what, type, order, net] of bootedNets) {
  test(what, async (t) => {
    const node = await startRestoreNode(t);
    const agent = startOperations(node);
    const id = newId();
    let file: string | undefined;
    agent.onStep("heartbeat", () => {
      file = node.lab.tree.readGuest(990_000);
    });
    agent.start(id, { kind: "restore-test", params: plantTest(node, type, order) });
    const report = await agent.report(id);
    assert.deepEqual([report.outcome, node.lab.restores.safety.violations, node.lab.misuses], ["passed", [], []]);
    assert.match(file ?? "", net);
  });
}

test("a VM's cards but the first are kept from other cards before its links come up", async (t) => {
  const node = await startRestoreNode(t);
  const parted: unknown[] = [];
  node.sandboxes.part = async (_sandbox, _operation, devices) => {
    parted.push(devices, /link_down=0/.test(node.lab.tree.readGuest(990_000) ?? ""));
    return undefined;
  };
  const agent = startOperations(node);
  const id = newId();
  agent.start(id, { kind: "restore-test", params: plantTest(node, "qemu") });
  assert.equal((await agent.report(id)).outcome, "passed");
  assert.deepEqual(parted, [["tap990000i1"], false]);
});

test("a guest that gets less memory than it has at home: the record says so, as what misses it may not start", async (t) => {
  const node = await startRestoreNode(t, { limits: { memoryMib: 512 } });
  const agent = startOperations(node);
  const id = newId();
  agent.start(id, { kind: "restore-test", params: plantTest(node, "qemu") });
  const { steps } = await agent.report(id);
  const preflight = steps.find(({ step }) => step === "preflight");
  assert.equal(preflight?.reason, "Test guest 990000 on local-lvm, with 512 of its 1024 MiB of memory");
});

for (const [what, reason, outcome, told] of [
  [
    "a backup that is encrypted with a key that this cluster lacks",
    "missing key - manifest was created with key 5f:a2:11",
    "failed",
    /^The backup's configuration can't be read: it is encrypted, and its storage has not the right key here: missing key - /,
  ],
  [
    "a Backup Server that is lost before the backup's configuration is read",
    "Error: error trying to connect: tcp connect error: Connection refused (os error 111)",
    "refused",
    /^The backup's configuration can't be read: Error: error trying to connect/,
  ],
] as const) {
  test(`${what}: ${outcome}`, async (t) => {
    const node = await startRestoreNode(t);
    const { api } = node.ports;
    const get: typeof api.get = async (path, ...rest) =>
      path.endsWith("/extractconfig") ? { ok: false, error: { status: 500, reason, errors: {} } } : api.get(path, ...rest);
    const agent = startOperations(node, { api: { ...api, get } });
    const id = newId();
    agent.start(id, { kind: "restore-test", params: plantTest(node, "qemu") });
    const report = await agent.report(id);
    assert.equal(report.outcome, outcome);
    assert.match(report.reason, told);
  });
}

/** How far that step was said to be, in the order in which it was said. */
function fractionsIn(said: readonly Message[], wanted: string): number[] {
  let step: unknown;
  return said.flatMap((message) => {
    if (message.type !== "op.progress") return [];
    step = message.body.step?.step ?? step;
    return message.body.fraction === undefined || step !== wanted ? [] : [message.body.fraction];
  });
}

const line = (t: string, n: number) => ({ n, t });

test("how far a restore is comes from what its task printed, and is not known where it prints nothing", () => {
  const vm = ["restore vma archive: zstd -q -d -c /mnt/a.vma.zst", "progress 1% (read 13421772 bytes, duration 0 sec)"];
  assert.equal(restoreFraction(vm.map(line)), 0.01);
  assert.equal(
    restoreFraction([...vm, "progress 42% (read 563740672 bytes, duration 5 sec)", "rescan volumes..."].map(line)),
    0.42,
  );
  const container = ["extracting archive '/mnt/a.tar.zst'", "Total bytes read: 174766080 (167MiB, 197MiB/s)"];
  assert.equal(restoreFraction(container.map(line)), undefined);
  assert.equal(restoreFraction([]), undefined);
});

test("how much was restored comes from the task, disk by disk where it came from a Backup Server", () => {
  assert.equal(
    restoredBytes([
      "progress 100% (read 1342177280 bytes, duration 0 sec)",
      "total bytes read 1342177280, sparse bytes 1268318208 (94.5%)",
    ]),
    1_342_177_280,
  );
  assert.equal(restoredBytes(["Total bytes read: 174766080 (167MiB, 197MiB/s)"]), 174_766_080);
  const image = (bytes: number) => `restore image complete (bytes=${bytes}, duration=84.36s, speed=388.44MB/s)`;
  assert.equal(restoredBytes([image(34_359_738_368), "rescan volumes...", image(540_672)]), 34_360_279_040);
  assert.equal(restoredBytes(["extracting archive"]), undefined);
});

test("tasks that stop a guest, or take it elsewhere, are known by PVE's names for them; those before the test are none of it", async (t) => {
  const { ports } = await startRestoreNode(t);
  const upid = (type: string, sec: number) =>
    `UPID:pve1:00000CE3:0007E769:${sec.toString(16).toUpperCase().padStart(8, "0")}:${type}:990000:anna@pve:`;
  const disturberOf = (type: string, sec = 1_800_000_000) => {
    const get = async () => ({ ok: true as const, data: [{ upid: upid(type, sec) }] });
    return new NodeView({ ...ports, api: { ...ports.api, get } }).disturber(990_000, 1_800_000_000_900);
  };
  for (const type of ["qmstop", "vzshutdown", "qmreset", "qmpause", "qmigrate", "vzmigrate", "vzrollback"])
    assert.equal(await disturberOf(type), upid(type, 1_800_000_000), type);
  for (const type of ["qmstart", "vncproxy", "qmsnapshot", "vzdump"]) assert.equal(await disturberOf(type), undefined, type);
  assert.equal(await disturberOf("qmstop", 1_799_999_999), undefined);
});
