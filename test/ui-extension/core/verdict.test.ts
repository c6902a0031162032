import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskView } from "#protocol/api.ts";
import { filterGuests, lastHeardAt } from "../../../ui-extension/core/guests.ts";
import { findProblems, type Picture, statusProblems } from "../../../ui-extension/core/problems.ts";
import { ratioReading, shownReading } from "../../../ui-extension/core/reading.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";
import { totalsOf, verdictOf } from "../../../ui-extension/core/verdict.ts";
import { fakeAlerts } from "../../support/fake-alerts.ts";
import { fakeCluster } from "../../support/fake-cluster.ts";

const now = Date.UTC(2026, 10, 23, 3);
const minute = 60_000;

function picture(setup: { silent: number; trouble: boolean }): Picture {
  const world = fakeCluster({ nodes: 3, guests: 40, ...setup });
  return {
    nodes: world.nodes(now),
    guests: world.guests(now),
    storages: world.storages(now),
    tasks: world.tasks(now),
    events: [],
    alerts: undefined,
    health: undefined,
  };
}
const verdict = (of: Picture) => verdictOf(of, findProblems(of, now, inEnglish), inEnglish);

test("a healthy cluster is fine as far as it reports, and the missing restore proof is named", () => {
  assert.deepEqual(verdict(picture({ silent: 0, trouble: false })), {
    level: "fine",
    text: "Everything that reports is fine",
    unknown: ["Restore proof: not set up yet"],
  });
});

test("nodes of one name in two clusters are two problems, which a list can tell apart", () => {
  const one = picture({ silent: 1, trouble: false });
  const both = { ...one, nodes: [...one.nodes, ...one.nodes.map((node) => ({ ...node, cluster: "other" }))] };
  const keys = findProblems(both, now, inEnglish).map(({ key }) => key);
  assert.equal(keys.length, 2);
  assert.equal(new Set(keys).size, 2);
});

test("guests that nobody sees as their node's pvestatd hangs are told by the alert alone, once it fires", () => {
  const { nodes, guests, ...rest } = picture({ silent: 0, trouble: false });
  const unseen = guests.map((guest) => ({ ...guest, state: guest.node === "pve1" ? ("unknown" as const) : guest.state }));
  const problem = "/run/pve/metrics: section qemu is older than 30 s, does pvestatd hang?";
  const hung = nodes.map((node) =>
    node.node === "pve1" ? { ...node, agent: { ...node.agent, sources: [{ source: "pve-metrics", problem }] } } : node,
  );
  const told = (alerts: Picture["alerts"]) =>
    findProblems({ ...rest, nodes: hung, guests: unseen, alerts }, now, inEnglish).map(({ text }) => text);
  const [alert] = fakeAlerts(now);
  assert.ok(alert);
  const about = { cluster: nodes[0]?.cluster ?? "", entity: "node/pve1", valueText: "none", text: "pve1: pvestatd hangs" };
  assert.equal(told([]).length, 2);
  assert.deepEqual(told([{ ...alert, ...about, state: "firing", suppressedBy: null, acknowledged: null }]), [
    "pve1: pvestatd hangs",
  ]);
});

test("where every node's pvestatd hangs, as of a dead NFS server, a shared storage's page names some of them", () => {
  const nodes = fakeCluster({ nodes: 12, guests: 0, silent: 0, trouble: false }).nodes(now);
  const problem = "section storage is older than 30 s";
  const hung = nodes.map((node) => ({ ...node, agent: { ...node.agent, sources: [{ source: "pve-metrics", problem }] } }));
  const told = statusProblems(hung, nodes[0]?.cluster ?? "", null, inEnglish);
  assert.deepEqual([told.length, told[0], told.at(-1)], [6, `pve1: pve-metrics can't be read: ${problem}`, "and 7 more"]);
  assert.equal(statusProblems(hung, nodes[0]?.cluster ?? "", "pve7", inEnglish).length, 1);
});

test("without any node nothing is called fine", () => {
  const nothing: Picture = { nodes: [], guests: [], storages: [], tasks: [], events: [], alerts: undefined, health: undefined };
  assert.deepEqual(verdict(nothing), {
    level: "unknown",
    text: "Nothing is known yet: no node reports",
    unknown: ["Restore proof: not set up yet"],
  });
});

test("an offline node is one problem with its guests, not one per guest, and comes first", () => {
  const troubled = picture({ silent: 1, trouble: true });
  assert.deepEqual(
    findProblems(troubled, now, inEnglish).map(({ severity, text, detail }) => [severity, text, detail]),
    [
      ["critical", "Node pve3 is offline, with 13 guests", "last heard 23 min ago"],
      ["warning", "pve2: zfs can't be read", "zpool list did not answer within 5 s"],
      ["warning", "Storage nfs1 is 91 % full", "nfs"],
      ["warning", "Task Backup 107 failed 2 times on pve2", "job errors"],
    ],
  );
  assert.deepEqual(verdict(troubled), {
    level: "critical",
    text: "Node pve3 is offline, with 13 guests, and 3 more problems",
    unknown: ["13 guests unknown", "2 storages unknown", "Restore proof: not set up yet"],
  });
});

test("a failed task is told for a day", () => {
  const task = (endedAt: number): TaskView => ({
    cluster: "c",
    upid: `UPID:${endedAt}`,
    node: "pve1",
    type: "vzdump",
    id: "100",
    user: "root@pam",
    startedAt: endedAt - minute,
    endedAt,
    state: "failed",
    status: "job errors",
  });
  const told = (endedAt: number) =>
    findProblems({ ...picture({ silent: 0, trouble: false }), tasks: [task(endedAt)] }, now, inEnglish).length;
  assert.deepEqual([told(now - 23 * 60 * minute), told(now - 25 * 60 * minute)], [1, 0]);
});

test("a storage is nearly full from 85 % and full from 95 %; an old figure proves nothing", () => {
  const base = picture({ silent: 0, trouble: false });
  const [first] = base.storages;
  const severity = (used: number, state: "fresh" | "stale") => {
    const storage = {
      ...first,
      used: { state, value: used, at: now },
      total: { state, value: 100, at: now },
    } as Picture["storages"][number];
    return findProblems({ ...base, storages: [storage] }, now, inEnglish)[0]?.severity;
  };
  assert.deepEqual(
    [severity(84.9, "fresh"), severity(85, "fresh"), severity(95, "fresh"), severity(99, "stale")],
    [undefined, "warning", "critical", undefined],
  );
});

test("templates are no guests that should run, and silent nodes give no load", () => {
  const totals = totalsOf(picture({ silent: 1, trouble: false }), now);
  assert.deepEqual(totals.nodes, { online: 2, total: 3 });
  assert.deepEqual(totals.guests, { running: 24, stopped: 2, other: 0, unknown: 13, total: 39 });
  assert.equal(totals.cpu?.nodes, 2);
  assert.equal(totals.cpu?.total, 64);
});

test("a fresh reading grows stale by itself when the stream brings nothing new", () => {
  const reading = { state: "fresh" as const, value: 0.41, at: now };
  assert.deepEqual(shownReading(reading, now + 45_000), { state: "fresh", value: 0.41, at: now });
  assert.deepEqual(shownReading(reading, now + 45_001), { state: "stale", value: 0.41, at: now });
  assert.deepEqual(shownReading({ state: "absent", value: null, at: null }, now), { state: "absent" });
});

test("a share is as old as its older half, and unknown where the whole is nothing", () => {
  const fresh = (value: number, at: number) => ({ state: "fresh" as const, value, at });
  assert.deepEqual(ratioReading(fresh(1, 5), fresh(4, 9)), { state: "fresh", value: 0.25, at: 5 });
  assert.deepEqual(ratioReading(fresh(1, 5), { state: "stale", value: 4, at: 2 }), { state: "stale", value: 0.25, at: 2 });
  assert.deepEqual(ratioReading(fresh(0, 5), fresh(0, 5)), { state: "absent", value: null, at: null });
});

test("guests are found by name, number, tag, node, kind and state", () => {
  const { guests } = picture({ silent: 0, trouble: false });
  const found = (filter: string) => filterGuests(guests, filter).map((guest) => guest.vmid);
  assert.deepEqual(found("web0"), [100, 115, 130]);
  assert.deepEqual(found("107"), [107]);
  assert.deepEqual(found("tag:db node:pve3"), [101, 107, 113, 119, 125, 131, 137]);
  assert.deepEqual(found("tag:db node:pve2"), []);
  assert.deepEqual(found("type:ct state:stopped"), [114, 129]);
  assert.deepEqual(found("nothing-like-this"), []);
});

test("a guest was last heard of when its newest reading was taken", () => {
  const { guests } = picture({ silent: 3, trouble: false });
  const [guest] = guests;
  assert.equal(guest && lastHeardAt(guest), now - 23 * minute);
});
