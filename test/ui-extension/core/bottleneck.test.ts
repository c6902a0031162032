import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeriesAnswer } from "#protocol/api.ts";
import { type BottleneckFacts, findBottleneck, type Waits } from "../../../ui-extension/core/bottleneck.ts";
import { waitSelectors, waitsOf } from "../../../ui-extension/core/recent.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";
import { fc } from "../../support/property.ts";

const calm: Waits = {
  cpu: 0.2,
  memory: 0.5,
  pressure: { cpu: 0.01, io: 0.02, memory: 0 },
  iowait: undefined,
  steal: undefined,
  disks: [{ name: "scsi0", readMs: 0.4, writeMs: 1.2, perSecond: 300 }],
};
const vm: BottleneckFacts = {
  kind: "guest",
  subject: "VM 105",
  own: calm,
  host: undefined,
  storages: ["local-zfs"],
  neighbours: [],
};
const node: BottleneckFacts = { ...vm, kind: "node", subject: "pve1", storages: [] };
const slow = { name: "scsi0", readMs: 8, writeMs: 42, perSecond: 300 };
const neighbour = (vmid: number, mbPerSecond: number, storage = "local-zfs") => ({
  title: `${vmid} g`,
  bytesPerSecond: mbPerSecond * 1e6,
  storages: [storage],
});
const nothing: Waits = {
  ...{ cpu: undefined, memory: undefined, iowait: undefined, steal: undefined, disks: [] },
  pressure: { cpu: undefined, io: undefined, memory: undefined },
};

const cases: [name: string, facts: BottleneckFacts, words: string[]][] = [
  [
    "a guest with slow writes beside three loud ones on its storage",
    {
      ...vm,
      own: { ...calm, disks: [slow] },
      neighbours: [neighbour(106, 80), neighbour(107, 50), neighbour(108, 30), neighbour(109, 0.5), neighbour(110, 900, "nfs1")],
    },
    ["VM 105 waits on local-zfs: write 42 ms, 3 noisy neighbours (106 g 80 MB/s, 107 g 50 MB/s, 108 g 30 MB/s)"],
  ],
  ["a slow drive without requests says nothing", { ...vm, own: { ...calm, disks: [{ ...slow, perSecond: 0.2 }] } }, []],
  [
    "a container has no drives, but waits",
    { ...vm, subject: "CT 101", own: { ...calm, disks: [], pressure: { ...calm.pressure, io: 0.4 } } },
    ["CT 101 waits on local-zfs: 40 % of the time something waited for I/O"],
  ],
  [
    "a guest that uses all its cores",
    { ...vm, own: { ...calm, cpu: 0.99 } },
    ["VM 105 uses all of its own cores (99 %): give it more, or look at what runs inside"],
  ],
  [
    "a guest that waits for a CPU on a full node",
    { ...vm, own: { ...calm, pressure: { ...calm.pressure, cpu: 0.3 } }, host: { name: "pve1", waits: { ...calm, cpu: 0.97 } } },
    ["VM 105 waits for a CPU 30 % of the time: node pve1 has none left"],
  ],
  [
    "the worst comes first",
    {
      ...vm,
      own: { ...calm, memory: 0.97, pressure: { ...calm.pressure, memory: undefined }, disks: [{ ...slow, writeMs: 200 }] },
    },
    ["VM 105 waits on local-zfs: write 200 ms", "VM 105 has 97 % of its memory in use"],
  ],
  [
    "a node whose disk takes no more",
    { ...node, own: { ...calm, disks: [{ name: "sda", readMs: 3, writeMs: 4, perSecond: 90, busy: 0.99 }] } },
    ["sda of pve1 is 99 % busy: it takes no more"],
  ],
  [
    "a node below another hypervisor",
    { ...node, own: { ...calm, steal: 0.12 } },
    ["A hypervisor below takes 12 % of pve1's CPU time"],
  ],
  ["a node's full memory that presses nobody", { ...node, own: { ...calm, memory: 0.98 } }, []],
];
for (const [name, facts, words] of cases) {
  test(`bottleneck: ${name}`, () => {
    const found = findBottleneck(facts, inEnglish);
    assert.deepEqual(found.state === "found" ? found.findings.map(({ text }) => text) : [], words);
    assert.equal(found.state, words.length > 0 ? "found" : "none");
  });
}

test("bottleneck: where a resource is unknown nobody says that there is none", () => {
  assert.deepEqual(findBottleneck({ ...vm, own: nothing }, inEnglish), {
    state: "too-little",
    missing: ["CPU", "memory", "disks"],
  });
  assert.deepEqual(
    findBottleneck({ ...vm, own: { ...calm, disks: [], pressure: { ...calm.pressure, io: undefined } } }, inEnglish),
    {
      state: "too-little",
      missing: ["disks"],
    },
  );
});

test("bottleneck: leaving out any of what was measured never turns a finding into none", () => {
  const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });
  const waits = fc.record({
    cpu: share,
    memory: share,
    pressure: fc.record({ cpu: share, io: share, memory: share }),
    iowait: share,
    steal: share,
    disks: fc.constantFrom<Waits["disks"]>([], [slow], calm.disks),
  });
  fc.assert(
    fc.property(waits, (own) => {
      const found = findBottleneck({ ...vm, own }, inEnglish);
      if (found.state === "none")
        assert.ok((own.cpu ?? own.pressure.cpu) !== undefined && (own.memory ?? own.pressure.memory) !== undefined);
    }),
  );
});

test("waits come from means per request: ns of drives and ms of disks, PSI of percent", () => {
  const series = (metric: string, value: number | null, column: "avg" | "rate", instance: string | null = null) => ({
    ...{ entity: "guest/105", metric, instance, unit: "", source: null, at: [0] },
    columns: { [column]: [value] },
  });
  const answer: SeriesAnswer = {
    ...{ from: 0, to: 300_000, stepMs: 300_000, tier: "raw" },
    series: [
      series("cpu", 0.5, "avg"),
      series("psi_io_some", 40, "avg"),
      series("mem_used", 6, "avg"),
      series("mem_max", 8, "avg"),
      series("drive_reads", 0, "rate", "scsi0"),
      series("drive_writes", 100, "rate", "scsi0"),
      series("drive_read_ns", 0, "rate", "scsi0"),
      series("drive_write_ns", 4.2e9, "rate", "scsi0"),
      series("psi_mem_some", null, "avg"),
    ],
  };
  const waits = waitsOf(answer, "guest/105");
  assert.deepEqual([waits.cpu, waits.memory, waits.pressure.io, waits.pressure.memory], [0.5, 0.75, 0.4, undefined]);
  assert.deepEqual(waits.disks, [{ name: "scsi0", readMs: undefined, writeMs: 42, perSecond: 100 }]);
  const asked = waitSelectors("guest/105", "c", new Map([["drive_reads", ["scsi0", "scsi1"]]])).map(({ metric, instance }) => [
    metric,
    instance,
  ]);
  assert.deepEqual(asked.slice(-3), [
    ["psi_mem_some", undefined],
    ["drive_reads", "scsi0"],
    ["drive_reads", "scsi1"],
  ]);
});
