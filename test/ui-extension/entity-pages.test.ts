import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { GuestView, NodeView, StorageView } from "#protocol/api.ts";
import { launchBrowser, type VisitOptions, visit } from "../support/browser.ts";
import { type FakeHub, type FakeHubOptions, panelFiles, startFakeHub } from "../support/fake-hub.ts";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser: Browser;
let files: Map<string, Uint8Array>;
let hub: FakeHub;
const hubs: FakeHub[] = [];

before(async () => {
  [browser, files] = await Promise.all([launchBrowser(), panelFiles()]);
  hub = await startHub({});
});
after(async () => {
  await browser.close();
  await Promise.all(hubs.map((one) => one.close()));
});

async function startHub(options: Partial<FakeHubOptions>): Promise<FakeHub> {
  const one = await startFakeHub({ files, everyMs: 60_000, ...options });
  hubs.push(one);
  return one;
}

async function openPage(hash: string, options: VisitOptions & { from?: FakeHub } = {}) {
  const visited = await visit(browser, options.from ?? hub, options);
  await visited.page.locator("proven-overview").waitFor();
  await visited.page.evaluate((to) => {
    history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate"));
  }, hash);
  return visited;
}

async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    type Found = { violations: { id: string; impact: string; nodes: { target: unknown }[] }[] };
    const { axe } = window as unknown as { axe: { run(): Promise<Found> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes[0]?.target)}`);
  });
}

test("a guest's page says what holds it up, what each drive takes, what its agent knows, by which jobs it is backed up, and how old its snapshots are", async () => {
  const { page, complaints, close } = await openPage("#/guest/100");
  await page.getByText("No bottleneck seen in the last five minutes: CPU, memory and disks keep up.").waitFor();
  const drive = page.locator("proven-drives tr[data-key=scsi1]");
  assert.match((await drive.textContent()) ?? "", /scsi1\s*[\d.]+ (µs|ms)\s*[\d.]+ (µs|ms)/);
  await page.locator("proven-drives tr[data-key='/boot']").getByText(/\d+ %/).waitFor();
  const care = page.locator("proven-guest-care");
  await care.getByText("answers", { exact: true }).waitFor();
  await care.getByText("backup-nightly (21:00)").waitFor();
  await care.getByText("none of its disks").waitFor();
  await care.getByText("before-upgrade").waitFor();
  await care.getByText("40 d old").waitFor();
  await care.getByRole("link", { name: "nfs1" }).click();
  await page.getByRole("heading", { name: "nfs1" }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("of a node whose agent says nothing any more, nothing that it said stays green", async () => {
  const { page, complaints, close } = await visit(browser, hub);
  await page.locator("proven-overview").waitFor();
  const asOld = (body: string) => body.replaceAll('"state":"fresh"', '"state":"stale"');
  for (const path of ["**/api/v1/entities?**", "**/api/v1/nodes/pve1/metrics?**"]) {
    await page.route(path, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: asOld(await answer.text()) });
    });
  }
  await page.evaluate(() => location.assign("#/node/pve1"));
  await page.getByText("Whether something holds it up can't be said: nothing is measured of it now.").waitFor();
  await page.locator("proven-hardware tr", { hasText: "nvme0n1" }).getByText("unknown").waitFor();
  await page.locator("proven-zpools tr", { hasText: "tank" }).getByText("no value now").first().waitFor();
  assert.equal(await page.locator("proven-zpools .ok, proven-hardware .ok, proven-bottleneck .none").count(), 0);
  await page.evaluate(() => location.assign("#/zpool/pve1/tank"));
  await page.getByText("Its health is unknown now: the agent of its node says nothing of it").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a guest's page names why nothing is known of it: its node is offline", async () => {
  const from = await startHub({ silent: 1, trouble: true });
  const { page, complaints, close } = await openPage("#/guests?filter=node%3Apve3", { from });
  await page.locator("proven-guest-list tbody a").first().click();
  await page.getByText("Nothing is known of this guest now: node pve3 is offline.").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("while a node's pvestatd hangs no page calls the node silent: they say what can't be read, and nothing of a guest stays green", async () => {
  const own = await startHub({});
  const { page, complaints, close } = await openPage("#/guest/100", { from: own });
  await page.locator("proven-guest-care").getByText("answers", { exact: true }).waitFor();
  const items = <T>(path: string) => page.evaluate(async (of): Promise<T[]> => (await (await fetch(of)).json()).items, path);
  const [nodes, guests, storages] = await Promise.all([
    items<NodeView>("/api/v1/nodes"),
    items<GuestView>("/api/v1/guests"),
    items<StorageView>("/api/v1/storages"),
  ]);
  const problem = "/run/pve/metrics: section qemu is older than 30 s, does pvestatd hang?";
  const hung = (node: NodeView) => ({ ...node, agent: { ...node.agent, sources: [{ source: "pve-metrics", problem }] } });
  const unknown = <T extends object>(all: readonly T[]) => all.map((one) => ({ ...one, state: "unknown" as const }));
  await own.send("nodes", nodes.map(hung));
  await own.send("guests", unknown(guests));
  await own.send("storages", unknown(storages));
  await page.getByText("Nothing is known of this guest now: Proxmox VE on pve2 says nothing of it.").waitFor();
  await page.getByText(`pve2: pve-metrics can't be read: ${problem}`).waitFor();
  await page.locator("proven-guest-care").getByText("answered when it was last asked").waitFor();
  assert.equal(await page.locator("proven-guest-care").getByText("answers", { exact: true }).count(), 0);
  await page.evaluate(() => location.assign("#/storage/nfs1"));
  await page.getByText("Nothing is known of this storage now: no node says how it is.").waitFor();
  await page.getByText(`pve2: pve-metrics can't be read: ${problem}`).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a node's page leads to its disks, pools, certificates and updates", async () => {
  const { page, complaints, close } = await openPage("#/node/pve1");
  const disks = page.locator("proven-hardware");
  await disks.locator("tr", { hasText: "nvme0n1" }).getByText("well").waitFor();
  await disks.locator("tr", { hasText: "sdb" }).getByText("no SMART").waitFor();
  await page.locator("proven-node-care").getByText("7 packages wait").waitFor();
  await page.locator("proven-node-care").getByText("ends in 10 d").waitFor();
  await disks.getByRole("link", { name: "pve/data" }).click();
  await page.getByRole("heading", { name: "pve/data on pve1" }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a node's page says what machine it is, and calls unknown what nobody knows of it", async () => {
  const { page, complaints, close } = await openPage("#/node/pve1");
  const machine = page.locator("proven-machine");
  const value = async (name: string) => {
    const row = machine.locator("dl > div", { has: page.locator("dt").getByText(name, { exact: true }) });
    return ((await row.locator("dd").textContent()) ?? "").trim();
  };
  await machine.getByText("S424242X2A00001").waitFor();
  assert.equal(await value("Board"), "Supermicro, H12SSW-NTR, 1.02");
  assert.equal(await value("BIOS or UEFI"), "American Megatrends Inc., 2.5, 2022-09-14");
  assert.equal(await value("Processor"), "AMD EPYC 7313P 16-Core Processor, 1 socket, 16 cores, 32 threads");
  assert.equal(await value("Memory modules"), "64 GiB, 2 modules, 6 empty slots");
  assert.match(await value("Slot 1"), /^P0_Node0_Channel0_Dimm0, 32 GiB, /);
  assert.match(await value("Slot 3"), /^32 GiB, DDR4, 3200 MT\/s, Samsung.*, serial number 03B1F8E5$/);
  const go = (hash: string) => page.evaluate((place) => location.assign(place), hash);
  await go("#/node/pve2");
  await machine.getByText("The firmware of this machine has no SMBIOS table").waitFor();
  assert.deepEqual([await value("Maker"), await value("Serial number")], ["unknown", "unknown"]);
  await go("#/node/pve3");
  await machine.getByText("Unknown: no agent of this node has said what machine it is.").waitFor();
  assert.equal(await machine.locator("dl").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test("the agents' page names each one's certificate, and revokes or rotates only after a yes that names the node", async () => {
  const from = await startHub({ silent: 1, scopes: ["read", "write"] });
  const { page, complaints, close } = await openPage("#/", { from });
  await page.locator("proven-nodes").getByRole("link", { name: "Agents" }).click();
  const agents = page.locator("proven-agents");
  await agents.locator("tr", { hasText: "pve1" }).getByText("ends in 10 d").waitFor();
  await agents.locator("tr", { hasText: "pve3" }).getByText("away").waitFor();
  assert.equal(await agents.getByRole("button", { name: "Rotate pve3" }).count(), 0, "who is away can't be asked");

  await agents.getByRole("button", { name: "Revoke pve2" }).click();
  await agents.getByText(/^Revoke the agent of pve2\? Its connection ends/).waitFor();
  await page.keyboard.press("Enter"); // No is what has the focus
  await agents.getByRole("alertdialog").waitFor({ state: "detached" });
  assert.deepEqual(from.writes, []);
  await agents.getByRole("button", { name: "Rotate pve1" }).click();
  await agents.getByRole("button", { name: "Rotate the key of pve1" }).click();
  await agents.getByText("The agent of pve1 was asked for a new key: the audit log says when it is used.").waitFor();
  await agents.getByRole("button", { name: "Revoke pve2" }).click();
  await agents.getByRole("button", { name: "Revoke pve2" }).first().click();
  await agents.getByText("The agent of pve2 is revoked.").waitFor();
  const cluster = "0123456789abcdef";
  assert.deepEqual(
    from.writes.map(({ method, path }) => `${method} ${path}`),
    [`POST /api/v1/agents/${cluster}/pve1/renew-key`, `DELETE /api/v1/agents/${cluster}/pve2`],
  );
  assert.deepEqual(complaints, []);
  await close();
});

test("who may only read sees the agents and no button", async () => {
  const { page, complaints, close } = await openPage("#/agents");
  await page.locator("proven-agents tr", { hasText: "pve1" }).getByText("connected").waitFor();
  assert.equal(await page.locator("proven-agents tbody").getByRole("button").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

const pools: [hash: string, title: string, verdict: string, projection: RegExp][] = [
  ["#/zpool/pve1/tank", "tank on pve1", "ONLINE, no known data errors", /grows by 1 GiB a day: full in about 7 months/],
  [
    "#/thinpool/pve1/pve/data",
    "pve/data on pve1",
    "Metadata is 86 % full: extend it before 100 %, when all writes stop",
    /metadata: grows by 0.40 % points a day/,
  ],
  [
    "#/datastore/0123456789abcdef/main",
    "main on pbs",
    "Its server answers; no damaged chunks are known",
    /grows by 40 GiB a day/,
  ],
];
for (const [hash, title, verdict, projection] of pools) {
  test(`the page of ${title} begins with a verdict, projects, and charts; axe finds nothing serious, and it fits a phone`, async () => {
    const { page, complaints, close } = await openPage(hash, { width: 360, height: 740, dark: true });
    await page.getByRole("heading", { name: title }).waitFor();
    await page.getByRole("status").getByText(verdict).waitFor();
    await page.locator("proven-outlook").getByText(projection).waitFor();
    await page.locator("proven-chart").first().scrollIntoViewIfNeeded();
    await page.locator("proven-chart canvas").first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0);
    assert.deepEqual(await seriousFindings(page), []);
    assert.deepEqual(complaints, []);
    await close();
  });
}

test("a storage says who uses it and when it is full; one of a Backup Server leads to its datastore", async () => {
  const { page, complaints, close } = await openPage("#/storage/nfs1");
  await page
    .locator("proven-outlook")
    .getByText("grows by 20 GiB a day: full in about 11 days (between 9 and 15 days)")
    .waitFor();
  const users = page.locator("proven-storage-users");
  await users.getByRole("link", { name: "100 web01" }).waitFor();
  assert.equal(await users.locator("tbody tr").count(), 14);
  await page.evaluate(() => {
    history.pushState(null, "", "#/storage/pbs1");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await page.getByRole("link", { name: /^Datastore main on pbs/ }).click();
  await page.getByRole("heading", { name: "main on pbs" }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("what may not be seen, is gone, or can't be had just now says so, and what to do", async () => {
  const { page, close } = await openPage("#/zpool/pve1/nothing");
  await page.getByText("Nothing of this name is known here: it was removed, or you may not see it.").waitFor();
  hub.refuseAll(403);
  await page.evaluate(() => {
    history.pushState(null, "", "#/zpool/pve1/tank");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await page.getByText("You may not see this: ask for Sys.Audit in Proxmox VE.").waitFor();
  hub.refuseAll(500);
  await page.evaluate(() => {
    history.pushState(null, "", "#/node/pve1");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await page.getByText("History can't be read just now: as the test wants it. It is tried again by itself.").waitFor();
  await page
    .locator("proven-hardware")
    .getByText("It can't be read just now: as the test wants it. It is tried again by itself.")
    .waitFor();
  hub.refuseAll(undefined);
  await close();
});

test("a tag longer than a phone is wide is broken, and the page stays as wide as the phone", async () => {
  const own = await startHub({});
  const { page, close } = await openPage("#/guest/105", { from: own, width: 360, height: 740 });
  await page.locator("proven-guest h1").waitFor();
  const items = await page.evaluate(async (): Promise<GuestView[]> => (await (await fetch("/api/v1/guests")).json()).items);
  const tag = "x".repeat(100);
  await own.send(
    "guests",
    items.map((guest) => ({ ...guest, tags: [tag] })),
  );
  await page.locator("proven-guest .tag").getByText(tag).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0);
  await close();
});

test("a node's page says what comes back if it burned now: how it comes, as of when, whether that was proven, and how long it takes", async () => {
  const { page, complaints, close } = await openPage("#/node/pve1");
  const part = page.locator("proven-node-recovery");
  await part.getByRole("heading", { name: "If pve1 burned now" }).click();
  const rows = part.locator("tbody tr[data-key]");
  await rows.first().waitFor();
  const texts = (await rows.allTextContents()).map((text) => text.replace(/\s+/g, " "));
  const of = (state: RegExp) => texts.find((text) => state.test(text)) ?? "";
  assert.match(texts[0] ?? "", /lostits backups on local burn too/);
  assert.match(of(/not proven/), /backup on pbs1 · a newer one on local burns/);
  assert.match(of(/proven by a test/), /backup on pbs1.*2 d ago4 min 12 s/);
  assert.match(of(/HA starts it elsewhere/), /shared storagethe end/);
  assert.match(of(/start it elsewherereplica/), /replica on pve2 · without mp0/);
  await part.getByText("fits on the other nodes").waitFor();
  await part.getByText("Proven's hub runs on this node: what it knows would burn too.").waitFor();
  assert.deepEqual(complaints, []);
  assert.deepEqual(await seriousFindings(page), []);
  await close();
});

test("that nobody can say what comes back of a node stands beside the closed line, and is not hidden in it", async () => {
  const { page, close } = await openPage("#/", { noServiceWorker: true });
  const problem = { error: { code: "internal", message: "the disk is full" } };
  await page.route("**/api/v1/nodes/pve1/recovery*", (route) => route.fulfill({ status: 500, json: problem }));
  await page.evaluate(() => location.assign("#/node/pve1"));
  await page.locator("proven-node-recovery").getByText("It can't be read just now").waitFor();
  await close();
});
