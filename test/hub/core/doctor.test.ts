import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeCertificate, judgeCopies, judgeOwners, judgePort, judgeTold } from "../../../hub/core/doctor.ts";

const now = Date.UTC(2026, 0, 1);
const day = 86_400_000;

test("a certificate is in trouble a month before its end", () => {
  assert.deepEqual(judgeCertificate(now + 31 * day, now), { about: "certificate", state: "ok", says: "ends in 31 days" });
  assert.equal(judgeCertificate(now + 30 * day, now).state, "trouble");
  assert.equal(judgeCertificate(now - 2 * day, now).says, "ended 2 days ago");
});

test("the cluster's agents are told this hub's fingerprint and port, or it is said what is wrong", () => {
  const told = { url: "wss://10.0.0.1:8420/agent", fingerprint: "aa:bb" };
  assert.deepEqual(judgeTold(told, "AA:BB", 8420), {
    about: "hub.json",
    state: "ok",
    says: "sends agents to wss://10.0.0.1:8420/agent",
  });
  assert.match(judgeTold(told, "CC:DD", 8420).says, /another fingerprint/);
  assert.equal(judgeTold(told, "AA:BB", 9000).says, "sends agents to port 8420 instead of 9000");
  assert.equal(judgeTold({ ...told, url: "wss://[fd00::1]:8420/agent" }, "AA:BB", 8420).state, "ok");
  assert.deepEqual(
    [judgeTold(undefined, "AA:BB", 8420).state, judgeTold(undefined, "AA:BB", 8420).remedy],
    ["trouble", "proven-hub setup"],
  );
});

test("a port that nobody or somebody else answers at is in trouble", () => {
  assert.deepEqual(
    [judgePort("AA", "AA", 8420), judgePort("BB", "AA", 8420), judgePort(undefined, "AA", 8420)].map(({ state }) => state),
    ["ok", "trouble", "trouble"],
  );
});

test("files that aren't the hub's are named, the first three of them", () => {
  assert.equal(judgeOwners("/s", [], "proven").state, "ok");
  assert.equal(
    judgeOwners("/s", ["a", "b", "c", "d", "e"], "proven").says,
    "a, b, c and 2 more in /s belong to somebody else than proven",
  );
});

test("what upgrades have left is named with its size and how to be rid of it, and is no trouble", () => {
  assert.deepEqual(judgeCopies("/s", []), []);
  const kept = [
    { name: "series.set-aside-3", bytes: 2_000_000 },
    { name: "series.version-2", bytes: 1_200_000_001 },
  ];
  assert.deepEqual(judgeCopies("/s", kept), [
    {
      about: "old stores",
      state: "ok",
      says: "kept from upgrades: series.set-aside-3 (2 MB), series.version-2 (1201 MB)",
      remedy: "when nobody wants to go back (proven-hub store rollback): cd /s && rm -r series.set-aside-3 series.version-2",
    },
  ]);
});
