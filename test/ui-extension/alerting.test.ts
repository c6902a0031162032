import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { Browser, Locator, Page } from "playwright-core";
import { launchBrowser, visit } from "../support/browser.ts";
import { fakeAlerts } from "../support/fake-alerts.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser: Browser;
let hub: FakeHub;
let reader: FakeHub;
const hubs: FakeHub[] = [];

before(async () => {
  const [launched, files] = await Promise.all([launchBrowser(), panelFiles()]);
  browser = launched;
  const night = { files, silent: 1, trouble: true, alerting: true, everyMs: 60_000 };
  [hub, reader] = await Promise.all([startFakeHub({ ...night, scopes: ["read", "write"] }), startFakeHub(night)]);
});
after(async () => {
  await browser.close();
  await Promise.all([hub, reader, ...hubs].map((one) => one.close()));
});

const section = (page: Page, name: string) =>
  page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name }).click();

test("the header counts what needs somebody; a cause shows its consequences folded; acknowledging takes it off the count", async () => {
  const { page, complaints, close } = await visit(browser, hub);
  await page.getByRole("heading", { name: "Node pve3 is offline, say the other members, and 2 more problems" }).waitFor();
  await section(page, "Alerts");
  await page.getByRole("heading", { name: "1 critical + 1 warning need you" }).waitFor();
  await page.getByText("takes along 3 guests: db03 (VM 107)").waitFor();
  await page.getByRole("button", { name: "3 alerts follow from it and were not told" }).click();
  assert.equal(await page.getByText("Follows from: Node pve3 is offline").count(), 3);
  await page.getByText("taken by anna at").waitFor();
  const nfs = page.getByRole("article", { name: "Storage nfs1 is 91 % full" });
  await nfs.getByText("91 %, limit 90 %").waitFor();
  await nfs.getByRole("button", { name: "Acknowledge" }).click();
  await page.getByRole("heading", { name: "1 critical needs you" }).waitFor();
  assert.equal(hub.writes.at(-1)?.path, "/api/v1/alerts/storage-full%400123456789abcdef%2Fstorage%2Fnfs1%231/ack");
  await nfs.getByRole("link", { name: "Why?" }).click();
  await page.getByText("it held for 10 min").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a comment that is being written stays at its alert when another one fires above it", async () => {
  const own = await startFakeHub({ files: await panelFiles(), alerting: true, everyMs: 60_000, scopes: ["read", "write"] });
  hubs.push(own);
  const { page, close } = await visit(browser, own);
  await section(page, "Alerts");
  const nfs = page.getByRole("article", { name: "Storage nfs1 is 91 % full" });
  await nfs.getByRole("button", { name: "With a comment …" }).click();
  await nfs.getByLabel("Comment (others read it)").fill("nfs1 is being enlarged");
  const alerts = fakeAlerts(Date.now());
  const [down] = alerts;
  assert.ok(down !== undefined);
  const text = "Node pve1 is offline, say the other members";
  const worse = { ...down, id: "node-down@pve1", entity: "node/pve1", title: "pve1", text };
  await own.send("alerts", [worse, ...alerts]);
  await page.getByRole("article", { name: text }).waitFor();
  const comments = (of: Locator) =>
    of.locator(".note input").evaluateAll((inputs) => inputs.map((input) => "value" in input && input.value));
  assert.deepEqual(await comments(page.locator("proven-alert-row")), ["nfs1 is being enlarged"]);
  assert.deepEqual(await comments(nfs), ["nfs1 is being enlarged"]);
  await nfs.getByRole("button", { name: "Acknowledge with it" }).click();
  await nfs.getByText("You took it: no repeats, no escalation.").waitFor();
  assert.match(own.writes.at(-1)?.path ?? "", /storage-full.*\/ack$/);
  await close();
});

test("of thousands of alerts a hundred are drawn, the worst first, and more when they are asked for", async () => {
  const own = await startFakeHub({ files: await panelFiles(), alerting: true, everyMs: 60_000 });
  hubs.push(own);
  const { page, complaints, close } = await visit(browser, own);
  await section(page, "Alerts");
  await page.locator("proven-alert-row").first().waitFor();
  const full = fakeAlerts(Date.now()).find(({ rule }) => rule === "storage-full");
  assert.ok(full !== undefined);
  await own.send(
    "alerts",
    Array.from({ length: 3000 }, (_, index) => ({ ...full, id: `storage-full@${index}`, text: `Storage s${index} is full` })),
  );
  await page.getByText(/^and 29\d\d more$/).waitFor();
  assert.equal(await page.locator("section[aria-label=Firing] proven-alert-row").count(), 100);
  await page.getByRole("button", { name: "Show more" }).click();
  await page.getByText(/^and 28\d\d more$/).waitFor();
  assert.equal(await page.locator("section[aria-label=Firing] proven-alert-row").count(), 200);
  await page.getByRole("link", { name: "Proven" }).click();
  await page
    .locator("[data-answer=wrong]")
    .getByRole("link", { name: /^and \d+ more$/ })
    .waitFor();
  assert.ok((await page.locator("[data-answer=wrong] li").count()) <= 51);
  assert.deepEqual(complaints, []);
  await close();
});

test("a key that may only read sees everything and is offered nothing it can't do", async () => {
  const { page, close } = await visit(browser, reader);
  await section(page, "Alerts");
  await page.getByRole("article", { name: "Storage nfs1 is 91 % full" }).getByRole("link", { name: "Why?" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Acknowledge" }).count(), 0);
  await section(page, "Routes");
  await page.getByText("HTTP 503: try again later").waitFor();
  assert.equal(await page.getByRole("button", { name: "Send test" }).count(), 0);
  await close();
});

test("a wrong limit is named with its remedy while one types and can't be saved; a back-test shows what the rule would have done", async () => {
  const { page, complaints, close } = await visit(browser, hub);
  await section(page, "Rules");
  await page.getByRole("link", { name: "Node's CPUs busy" }).click();
  await page.getByRole("spinbutton", { name: /Over at/ }).fill("97");
  await page.getByText(/wrong side of trigger 0\.95.*A clear at or below 0\.95/).waitFor();
  assert.equal(await page.getByRole("button", { name: "Save" }).isDisabled(), true);
  await page.getByRole("spinbutton", { name: /Over at/ }).fill("90");
  await page.getByRole("button", { name: "Save", disabled: false }).waitFor();
  await page.getByRole("button", { name: "Try on the last 30 days" }).click();
  await page.getByRole("heading", { name: "Would have fired 8 times in the last 30 days, on 3 of 40 · 8 messages" }).waitFor();
  assert.equal(await page.locator("proven-backtest rect.fires").count(), 8);
  await page.getByText("Left out: guest/140 (no history).").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved: it counts from now on.").waitFor();
  const saved = hub.writes.at(-1);
  assert.deepEqual([saved?.method, saved?.path], ["PUT", "/api/v1/rules/node-cpu"]);
  assert.match(JSON.stringify(saved?.body), /"clear":0\.9[,}]/);
  assert.deepEqual(complaints, []);
  await close();
});

test("a silence is made from an alert, and a window's next five times follow what is typed", async () => {
  const { page, complaints, close } = await visit(browser, hub);
  await section(page, "Alerts");
  await page.getByRole("article", { name: "Node pve3 is offline" }).getByRole("link", { name: "Silence …" }).click();
  await page.getByRole("button", { name: "Silence", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Silenced." }).first().waitFor();
  assert.match(JSON.stringify(hub.writes.at(-1)?.body), /"alerts":\["node-down@0123456789abcdef\/node\/pve3#1"\]/);
  await page.getByRole("link", { name: "New maintenance window" }).click();
  const form = page.locator("proven-window-form");
  await form.getByText("It opens next").waitFor();
  assert.equal(await form.locator("ol li").count(), 5);
  await form.getByLabel(/Calendar event/).fill("25:00");
  await form.getByText(/'25:00' is no time\. A Proxmox calendar event/).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a test message says what came of it", async () => {
  const { page, close } = await visit(browser, hub);
  await section(page, "Routes");
  await page.getByRole("listitem").filter({ hasText: "Team chat" }).getByRole("button", { name: "Send test" }).click();
  await page.getByText("Team chat did not take it: HTTP 503: try again later").waitFor();
  await close();
});

const pages: [path: string, ready: string][] = [
  ["#/alerts", "proven-alert-row article"],
  ["#/alerts/history", "proven-alert-history tbody tr"],
  ["#/alerts/storage-full%400123456789abcdef%2Fstorage%2Fnfs1%231", "proven-why ol li"],
  ["#/rules", "proven-rules li"],
  ["#/rules/node-cpu", "proven-rule form"],
  ["#/silences/window", "proven-window-form .next"],
  ["#/routes", "proven-routes li"],
  ["#/events", "proven-event-log li"],
];
for (const look of [{ dark: false }, { dark: true }, { width: 360, height: 740 }]) {
  const name = look.width === undefined ? (look.dark ? "dark" : "light") : "on a phone's 360 px";
  test(`axe finds nothing serious on any page, and nothing is too wide, ${name}`, async () => {
    const { page, close } = await visit(browser, hub, look);
    await page.getByRole("navigation", { name: "Sections" }).waitFor();
    await page.evaluate(axeSource);
    for (const [path, ready] of pages) {
      await page.evaluate((hash) => location.assign(hash), path);
      await page.locator(ready).first().waitFor();
      assert.deepEqual([path, await seriousFindings(page)], [path, []]);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0, path);
    }
    await close();
  });
}

async function seriousFindings(page: Page): Promise<string[]> {
  return await page.evaluate(async () => {
    type Violation = { id: string; impact: string; nodes: { target: unknown; failureSummary: string }[] };
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes[0]?.target)} ${nodes[0]?.failureSummary}`);
  });
}

test("who may act on guests and not change settings is offered what he may do alone", async () => {
  const own = await startFakeHub({
    files: await panelFiles(),
    alerting: true,
    proof: true,
    scopes: ["read", "write"],
    noSettings: true,
  });
  hubs.push(own);
  const { page, close } = await visit(browser, own);
  const goTo = (hash: string) => page.evaluate((to) => location.assign(to), hash);
  await goTo("#/rules");
  await page.locator("proven-rules li").first().waitFor();
  assert.equal(await page.getByRole("link", { name: "New rule" }).count(), 0);
  assert.equal(await page.locator("proven-rules input[type=checkbox]").count(), 0);
  await goTo("#/rules/new");
  await page.getByText("This takes Sys.Modify on / in Proxmox VE.").waitFor();
  await goTo("#/silences");
  await page.getByRole("link", { name: "New silence" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "New maintenance window" }).count(), 0);
  await goTo("#/policies");
  await page.getByRole("button", { name: "Run now …" }).first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Remove" }).count(), 0);
  await goTo("#/agents");
  await page.locator("proven-agents tbody tr").first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Re?(voke|otate)/ }).count(), 0);
  await close();
});
