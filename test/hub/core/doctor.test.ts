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

test("the cluster's agents are sent to where this hub answers, or it is said what is wrong", () => {
  const told = { url: "wss://10.0.0.1:8420/agent", fingerprint: "aa:bb" };
  assert.deepEqual(judgeTold(told, "AA:BB", "AA:BB"), {
    about: "hub.json",
    state: "ok",
    says: "sends agents to wss://10.0.0.1:8420/agent",
  });
  const said = (...args: Parameters<typeof judgeTold>) => {
    const { state, says, remedy } = judgeTold(...args);
    return [state, says, remedy?.split(/[;(]/)[0]?.trim()];
  };
  assert.deepEqual(said(told, "CC:DD", "CC:DD"), [
    "trouble",
    "has another fingerprint than this hub: agents refuse to connect (wss://10.0.0.1:8420/agent)",
    "proven-hub setup",
  ]);
  assert.deepEqual(said(told, "AA:BB", undefined), [
    "trouble",
    "sends agents to wss://10.0.0.1:8420/agent, where nothing answers",
    "if this hub runs and has another address or port now: proven-hub setup",
  ]);
  assert.match(judgeTold(told, "AA:BB", "EE:FF").says, /something else answers \(EE:FF\)/);
  assert.deepEqual(said(undefined, "AA:BB", undefined).slice(0, 1), ["trouble"]);
});

test("a cluster with two hubs: the one that no agent is told of says so, and what to do about either wish", () => {
  const finding = judgeTold({ url: "wss://10.0.0.2:8420/agent", fingerprint: "AA:BB" }, "CC:DD", "AA:BB");
  assert.equal(finding.says, "sends agents to another hub, which answers: wss://10.0.0.2:8420/agent");
  assert.match(finding.remedy ?? "", /proven-hub setup; .*apt remove proven-hub/);
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
