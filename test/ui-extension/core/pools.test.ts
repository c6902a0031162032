import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityView } from "#protocol/entities.ts";
import { drivesOf, fileSystemsOf } from "../../../ui-extension/core/drives.ts";
import { diskVerdict, newestOf } from "../../../ui-extension/core/entity-values.ts";
import { poolVerdict, scrubText } from "../../../ui-extension/core/pool-tiles.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";

const now = 1_800_000_000_000;
type Values = Record<string, number>;

/** `metric` or `metric@instance`. */
function entity(kind: EntityView["kind"], values: Values, ageMs = 20_000, state: "fresh" | "stale" = "fresh"): EntityView {
  const metrics = Object.entries(values).map(([name, value]) => {
    const [metric = "", instance = null] = name.split("@");
    return { metric, instance, unit: "", source: "test", state, value, at: now - ageMs };
  });
  const about = { cluster: "c", entity: `${kind}/x`, kind, name: "x", title: "x", node: "pve1", type: "", storages: [] };
  return { ...about, disk: null, guest: null, metrics };
}

const sound = { health: 0, data_errors: 0, allocated: 50, size: 100, scrub_age: 86_400 };
const verdicts: [name: string, pool: EntityView, level: string, words: RegExp][] = [
  ["a sound pool", entity("zpool", sound), "ok", /^ONLINE/],
  ["a pool that lost a disk, however full", entity("zpool", { ...sound, health: 1, allocated: 99 }), "crit", /^DEGRADED/],
  ["a suspended pool", entity("zpool", { ...sound, health: 6 }), "crit", /^SUSPENDED: the pool doesn't work/],
  ["damaged data before a full pool", entity("zpool", { ...sound, data_errors: 3, allocated: 95 }), "crit", /^3 places of data/],
  ["a pool that nobody scrubs", entity("zpool", { ...sound, scrub_age: 90 * 86_400 }), "warn", /not scrubbed for 90 d/],
  [
    "a pool whose errors nobody counted",
    entity("zpool", { health: 0, allocated: 1, size: 2 }),
    "dim",
    /whether data is damaged is unknown/,
  ],
  ["a pool that nothing is said of", entity("zpool", {}), "dim", /unknown/],
  ["what was said of a pool a minute ago", entity("zpool", sound, 60_000), "dim", /unknown/],
  ["what a hub no longer takes for fresh", entity("zpool", sound, 20_000, "stale"), "dim", /unknown/],
  ["a thin pool of a node that fell silent", entity("thinpool", { data: 0.4, metadata: 0.1 }, 60_000), "dim", /unknown/],
  ["metadata before data", entity("thinpool", { data: 0.4, metadata: 0.97 }), "crit", /^Metadata is 97 % full/],
  ["a thin pool that fills", entity("thinpool", { data: 0.84, metadata: 0.1 }), "warn", /^Data is 84 % full/],
  ["a thin pool without its metadata's figure", entity("thinpool", { data: 0.4 }), "dim", /unknown/],
  ["a Backup Server that is away", entity("datastore", { up: 0 }), "crit", /doesn't answer/],
  ["damaged chunks", entity("datastore", { up: 1, gc_still_bad: 2 }), "crit", /damaged chunks/],
  ["a datastore nobody asked", entity("datastore", {}), "dim", /Nothing is known/],
];
for (const [name, pool, level, words] of verdicts) {
  test(`the verdict on ${name} is ${level}`, () => {
    const verdict = poolVerdict(pool, now, inEnglish);
    assert.equal(verdict.level, level);
    assert.match(verdict.text, words);
  });
}

test("the newest scrub is told with its errors, under way, or not at all", () => {
  const told = (values: Values) => scrubText(entity("zpool", values), now, inEnglish);
  assert.equal(told({ scan_state: 2, scrub_age: 172_800, scrub_errors: 0 }), "ended 2 d ago, 0 errors");
  assert.equal(told({ scan_state: 1, scrub_age: 172_800 }), "under way");
  assert.equal(told({ scan_state: 0 }), "none is known");
  assert.equal(told({}), null);
});

const disks: [values: Values, word: string][] = [
  [{ healthy: 1, wear: 0.1, pending: 0 }, "well"],
  [{ healthy: 0, wear: 0.1 }, "failing"],
  [{ healthy: 1, pending: 4 }, "errors"],
  [{ healthy: 1, media_errors: 1, wear: 0.9 }, "errors"],
  [{ healthy: 1, wear: 0.85 }, "worn"],
  [{ wear: 0.2 }, "unknown"],
  [{}, "unknown"],
];
test("a disk that was well a minute ago is unknown now", () => {
  assert.equal(diskVerdict(entity("disk", { healthy: 1 }, 60_000), now).word, "unknown");
});

for (const [values, word] of disks) {
  test(`a disk with ${JSON.stringify(values)} is ${word}`, () =>
    assert.equal(diskVerdict(entity("disk", values), now).word, word));
}

test("drives tell means per request, none without requests; file systems their use; what is too old is unknown", () => {
  const guest = entity("guest", {
    "drive_reads@scsi0": 0,
    "drive_writes@scsi0": 100,
    "drive_read_ns@scsi0": 0,
    "drive_write_ns@scsi0": 5e9,
    "fs_used@/": 3,
    "fs_total@/": 4,
  });
  const [drive] = drivesOf(guest, now);
  assert.deepEqual([drive?.drive, drive?.readMs, drive?.writeMs, drive?.failed], ["scsi0", undefined, 50, undefined]);
  assert.deepEqual(fileSystemsOf(guest, now), [{ path: "/", used: 3, total: 4 }]);
  assert.equal(newestOf(guest, "fs_used", now + 60_000, "/"), undefined);
});
