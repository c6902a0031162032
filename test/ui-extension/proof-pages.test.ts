import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import type { Browser, Page, Route } from "playwright-core";
import { launchBrowser, type Visit, visit } from "../support/browser.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";
import { fakeRun } from "../support/fake-proof-api.ts";

let browser: Browser;
let hub: FakeHub;
let files: Map<string, Uint8Array>;
/** One visit for all: each test goes to the page it is about. */
let visited: Visit;
let page: Page;

before(async () => {
  [browser, files] = await Promise.all([launchBrowser(), panelFiles()]);
  hub = await startFakeHub({ files, guests: 12, proof: true, alerting: true, everyMs: 600_000, scopes: ["read", "write"] });
  visited = await visit(browser, hub);
  page = visited.page;
  await page.getByRole("navigation").first().waitFor();
});
after(async () => {
  await browser.close();
  await hub.close();
});
afterEach(() => {
  const refused = /^Failed to load resource: the server responded with a status of 40[04]/;
  assert.deepEqual(
    visited.complaints.filter((line) => !refused.test(line)),
    [],
  );
});

async function goTo(hash: string, ready: string): Promise<void> {
  await page.evaluate((place) => location.assign(place), hash);
  await page.locator(ready).first().waitFor();
}

const lastWrite = () => {
  const { method, path, body } = hub.writes.at(-1) ?? { method: "", path: "", body: undefined };
  return { method, path, body: body as Record<string, unknown> | undefined };
};

test("the matrix says first that a backup does not restore, gives each state its own shape, and shows only what one asks for", async () => {
  await goTo("#/proofs", "proven-proofs tbody tr");
  await page.getByRole("heading", { name: "The backup of 1 guest does NOT restore" }).waitFor();
  const row = (vmid: number) => page.locator("proven-proofs tbody tr").filter({ hasText: new RegExp(`^\\s*${vmid} `) });
  const shape = async (vmid: number) => await row(vmid).locator("td").nth(1).locator("svg path").first().getAttribute("d");
  const shapes = await Promise.all([100, 101, 102, 103, 104, 105].map(shape));
  assert.equal(new Set(shapes).size, 6, "failed, never, too old, in part, unknown and works look different");
  await row(100).getByText("nginx did not answer on port 80").waitFor();
  await row(103).getByText("No check says whether its services work").waitFor();
  await row(105).getByText("3.5×").waitFor();
  await page.getByRole("button", { name: /too old/ }).click();
  await row(100).waitFor({ state: "detached" });
  assert.equal(await page.locator("proven-proofs tbody tr").count(), 1);
  assert.match(page.url(), /filter=proof%3Aold$/);
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as CSV" }).click();
  const csv = readFileSync(await (await saving).path(), "utf8");
  assert.match(csv, /\r\n0123456789abcdef,102,[^\n]*,old,works,/);
});

test("a backup is tested in two presses of a key; the run appears at once, goes on by the stream, and is cancelled", async () => {
  await goTo("#/proofs", "proven-proofs tbody tr");
  const now = page.getByRole("region", { name: "Going on now" });
  await now.getByText("Restore, locked 42 %").waitFor();
  await hub.send("runs", [fakeRun(106, Date.now(), { fraction: 0.77 })]);
  await now.getByText("Restore, locked 77 %").waitFor();
  await page.getByRole("button", { name: /^Test … 101/ }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("form", { name: /^Test a backup of 101/ }).waitFor();
  await page.keyboard.press("Enter");
  await now.getByText("Waiting for a node").waitFor();
  const { method, path, body } = lastWrite();
  assert.deepEqual([method, path, body?.vmid, body?.keepSec], ["POST", "/api/v1/restore-tests", 101, 0]);
  const done = {
    state: "finished",
    step: null,
    fraction: null,
    outcome: "passed",
    level: "boots",
    verdict: "It restores and boots",
  } as const;
  await hub.send("runs", [fakeRun(101, Date.now(), { id: "ordered-101", ...done })]);
  await page.getByRole("region", { name: "Newest tests" }).getByText("It restores and boots").waitFor();
  await now.getByRole("button", { name: "Cancel" }).click();
  await now.getByText("Being cancelled by key:fake").waitFor();
});

test("where no storage holds a backup of a guest its page says so, and offers no test of one", async () => {
  await goTo("#/guest/109", "proven-guest-proof h2");
  await page.getByText("There is nothing to test: No storage holds a backup of it").waitFor();
  assert.equal(await page.getByRole("button", { name: "Test this backup …" }).count(), 0);
  await goTo("#/guest/107", "proven-guest-proof h2");
  await page.getByRole("button", { name: "Test this backup …" }).waitFor();
  assert.equal(await page.getByText("There is nothing to test").count(), 0);
});

test("what was found out about one guest is not shown of the next one, while the hub is slow to answer", async () => {
  await goTo("#/guest/109", "proven-guest-proof h2");
  await page.getByText("There is nothing to test: No storage holds a backup of it").waitFor();
  await page.route(/\/api\/v1\/(proof|restore-tests)\?/, () => undefined);
  await goTo("#/guest/107", "proven-guest h1 >> text=/^\\s*107 /");
  assert.equal(await page.getByText("There is nothing to test").count(), 0);
  await page.getByRole("button", { name: "Test this backup …" }).click();
  await page.locator("proven-test-form").waitFor();
  await goTo("#/guest/109", "proven-guest h1 >> text=/^\\s*109 /");
  assert.equal(await page.locator("proven-test-form").count(), 0);
  await page.unrouteAll({ behavior: "ignoreErrors" });
});

test("a cut-off link to a restore test says what is wrong with it in words", async () => {
  await goTo("#/proofs/run-nowhere", "proven-run .said");
  await page.getByText("There is no such restore test here: the link is old or cut off").waitFor();
});

test("a kept test guest counts down, is kept longer from what is left, is reached by its console, and is removed", async () => {
  await goTo("#/guest/107", "proven-guest-proof h2");
  const kept = { id: "kept-107", step: "keep", fraction: null, keepUntil: Date.now() + 3_600_000, node: "pve2" };
  await hub.send("runs", [fakeRun(107, Date.now(), kept)]);
  const now = page.locator("proven-guest-proof").getByRole("region", { name: "Going on now" });
  assert.match((await now.getByRole("timer").textContent()) ?? "", /^(59:\d\d|1:00:0\d)$/);
  assert.match((await now.getByRole("link", { name: /Console of 990000/ }).getAttribute("href")) ?? "", /vmid=990000/);
  await now.getByLabel("Keep 107 guest107 longer").selectOption("1800");
  await now.getByText("Asked for 30 min more.").waitFor();
  const { path, body } = lastWrite();
  assert.equal(path, "/api/v1/restore-tests/kept-107/keep");
  assert.ok(Number(body?.sec) > 5000 && Number(body?.sec) <= 5401, `asked for ${String(body?.sec)} s`);
  await now.getByRole("button", { name: "Remove now" }).click();
  await now.getByText("It is removed now.").waitFor();
  assert.deepEqual(lastWrite().body, { sec: 0 });
});

test("a run's page follows the stream from step to step, and tells how its evidence is checked", async () => {
  await goTo("#/proofs/run-106", "proven-run ol li");
  await hub.send("runs", [fakeRun(106, Date.now())]);
  await page.getByRole("status").filter({ hasText: "Restore, locked 42 %" }).waitFor();
  assert.equal(await page.getByRole("progressbar", { name: "Restore, locked" }).getAttribute("aria-valuenow"), "42");
  await hub.send("runs", [fakeRun(106, Date.now(), { fraction: null })]);
  await page.getByText("no percent told").waitFor();
  await hub.send("runs", [fakeRun(106, Date.now(), { step: "heartbeat", fraction: null })]);
  await page.getByRole("status").filter({ hasText: "First sign of life" }).waitFor();
  await page.evaluate(() => location.assign("#/proofs/run-100"));
  await page.getByText("proven-hub audit verify").waitFor();
  await page.getByRole("link", { name: "How the chain stands now" }).click();
  await page.getByText("Not checked since the hub started").waitFor();
  await page.getByRole("button", { name: "Check now" }).click();
  await page.getByText("Intact: 1234 entries and every evidence, checked 0 s ago").waitFor();
});

test("who changed what stands below the state of the chain, by who did it and what it is about", async () => {
  await goTo("#/reports", "proven-audit-log li");
  const log = page.locator("proven-audit-log");
  assert.deepEqual(await log.locator("li .what").allTextContents(), [
    "storage-full changed by the API",
    "node-down changed by the API",
  ]);
  await log.getByLabel("Who", { exact: true }).fill("root@pam");
  await log.locator("li", { hasText: "node-down" }).waitFor({ state: "detached" });
  assert.match(
    ((await log.locator("li").textContent()) ?? "").replace(/\s+/g, " ").trim(),
    /root@pam changed rule storage-full changed by the API$/,
  );
});

test("a test that is over is ordered again with a click: of the same backup, on the page of the new run", async () => {
  await goTo("#/proofs/run-100", "proven-run ol li");
  const backup = { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-100.zst" };
  await page.getByRole("button", { name: "Test again" }).click();
  await page.waitForURL(/#\/proofs\/ordered-100/);
  const { method, path, body } = lastWrite();
  assert.deepEqual([method, path, body?.vmid, body?.backup], ["POST", "/api/v1/restore-tests", 100, backup]);
});

test("a policy is told in a sentence with its next five windows, what is overdue and why, and whom no policy takes", async () => {
  await goTo("#/policies", "proven-policy-plan ol");
  const weekly = page.getByRole("region", { name: "Production weekly" });
  await weekly
    .getByText("Guests with tag prod, each at least every 7 days, sat 01:00–06:00 (Europe/Rome), 2 at once, one per node")
    .waitFor();
  assert.equal(await weekly.locator("proven-policy-plan ol").first().locator("li").count(), 5);
  await weekly.getByText("its node is busy").first().waitFor();
  await page.getByText("1 guest is taken by no policy: nobody tests its backups.").waitFor();
  await weekly.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused: tests that it began go on.").waitFor();
  assert.deepEqual([lastWrite().path, lastWrite().body?.enabled], ["/api/v1/policies/weekly/enable", false]);
  await weekly.getByRole("button", { name: "Run now …" }).click();
  await page.keyboard.press("Enter");
  await page.getByText("2 tests ordered").waitFor();
  assert.deepEqual([lastWrite().path, lastWrite().body?.reason], ["/api/v1/restore-tests", "policy weekly, run by hand"]);
  const monthly = page.getByRole("region", { name: "Every guest once a month" });
  await monthly.getByRole("button", { name: /^Remove/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Yes, remove it" }).click();
  await monthly.waitFor({ state: "detached" });
  assert.deepEqual(lastWrite().method, "DELETE");
});

test("a policy is written without a mouse: what is wrong is told at its field, and what it would do before it is saved", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await goTo("#/policies/new", "proven-policy-form .tried ol");
  const form = page.getByRole("region", { name: "New policy" });
  await page.keyboard.type("Shop daily");
  await form.getByLabel("Tags", { exact: true }).fill("shop");
  await form.getByLabel("Begins (calendar event)").fill("25:00");
  await form.getByText("One field is wrong: see there.").waitFor();
  await form.locator("label").filter({ hasText: "Begins" }).locator(".problem").waitFor();
  assert.equal(await form.getByRole("button", { name: "Save" }).isDisabled(), true);
  await form.getByLabel("Begins (calendar event)").fill("sat 03:00");
  await form.getByRole("spinbutton", { name: "Tests at once" }).fill("1");
  await form.getByText("Its windows are too short: 4 guests can't be tested in time.").waitFor();
  await form.getByRole("button", { name: "Add checks" }).click();
  await form.getByLabel("Kind").selectOption("service");
  await form.getByLabel("Unit").fill("nginx.service");
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.equal(wider, 0);
  await page.keyboard.press("Enter");
  await form.waitFor({ state: "detached" });
  const { method, path, body } = lastWrite();
  assert.deepEqual([method, path, body?.id, body?.scope], ["POST", "/api/v1/policies", "shop-daily", { tags: ["shop"] }]);
  assert.deepEqual(body?.checks, [{ tags: [], checks: [{ kind: "service", name: "service", unit: "nginx.service" }] }]);
});

test("a report is had by mail once there is somebody who mails; a calendar that is none is told at its field", async () => {
  await goTo("#/reports", "proven-report .line");
  await page.getByText("No backup was tested: nothing is proven for this period").waitFor();
  await page.getByText("No receiver mails").waitFor();
  await page.route("**/api/v1/receivers", (route) =>
    route.fulfill({ json: { items: [{ receiver: { id: "ops", type: "email" } }], next: null } }),
  );
  await page.evaluate(() => location.assign("#/policies"));
  await page.evaluate(() => location.assign("#/reports"));
  await page.getByRole("button", { name: "Each week …" }).click();
  await page.getByLabel("Sent at").fill("never");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("'never' is no part of a calendar event").waitFor();
  await page.getByLabel("Sent at").fill("mon 06:00");
  await page
    .getByRole("region", { name: "By mail" })
    .getByLabel(/^Language/)
    .selectOption("it");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const mailed = page.getByRole("region", { name: "By mail" }).getByRole("listitem");
  await mailed.getByText("mon 06:00").waitFor();
  assert.deepEqual([lastWrite().path, lastWrite().body?.receiver], ["/api/v1/reports/restore-proof-weekly", "ops"]);
  await mailed.getByRole("button", { name: "Preview" }).click();
  await page.getByText("Nessun backup è stato provato").waitFor();
  await mailed.getByRole("button", { name: "Remove" }).click();
  await mailed.getByRole("button", { name: "Yes" }).click();
  await page.getByText("No report is mailed.").waitFor();
});

test("the weekly report that comes switched off, and the policy, are switched on in two clicks each", async () => {
  const shipped = {
    id: "restore-proof-weekly",
    name: "Restore proof, weekly",
    enabled: false,
    calendar: "mon 07:00",
    timezone: "Europe/Rome",
    receiver: null,
    language: "en",
  };
  const receivers = (...ids: string[]) => ({
    json: { items: ids.map((id) => ({ receiver: { id, type: "email" } })), next: null },
  });
  const list = async (route: Route) =>
    route.request().method() === "GET" ? route.fulfill({ json: { items: [shipped], next: null } }) : route.continue();
  const mailed = page.getByRole("region", { name: "By mail" });
  const come = async (...ids: string[]) => {
    await page.unroute("**/api/v1/receivers");
    await page.route("**/api/v1/receivers", (route) => route.fulfill(receivers(...ids)));
    await goTo("#/policies", "proven-policies section");
    await goTo("#/reports", "proven-reports li");
    await mailed.getByText("mon 07:00 (Europe/Rome) to nobody yet, in English").waitFor();
  };
  await page.unroute("**/api/v1/receivers");
  await page.route("**/api/v1/reports", list);
  await come();
  assert.equal(await mailed.getByRole("button", { name: /^Switch on/ }).count(), 0, "there is nobody to mail it to");
  await come("ops");
  await mailed.getByRole("button", { name: /^Switch on/ }).click();
  await page.getByText("It is mailed from its next time on.").waitFor();
  assert.deepEqual(lastWrite().body, { ...shipped, receiver: "ops", enabled: true });
  await come("ops", "boss");
  await mailed.getByRole("button", { name: /^Switch on/ }).click();
  await mailed.getByRole("button", { name: "Save", exact: true }).click();
  await mailed.locator("proven-report-form").waitFor({ state: "detached" });
  assert.deepEqual(lastWrite().body, { ...shipped, receiver: "ops", enabled: true });
  await page.unroute("**/api/v1/reports");
  await page.unroute("**/api/v1/receivers");
  await goTo("#/policies", "proven-policies section");
  await page
    .getByRole("button", { name: /^Switch on/ })
    .first()
    .click();
  await page.getByText("On: it begins with its next window.").waitFor();
  assert.equal(lastWrite().body?.enabled, true);
});

test("who may only read is offered no change, and a hub that refuses is told as such, never as an empty list", async () => {
  const readers = await startFakeHub({ files, guests: 12, proof: true, alerting: true, everyMs: 600_000 });
  const { page, close } = await visit(browser, readers);
  await page.getByRole("navigation").first().waitFor();
  for (const [path, ready] of [
    ["#/proofs", "proven-proofs tbody tr"],
    ["#/policies", "proven-policy-plan ol"],
    ["#/reports", "proven-chain code"],
  ] as const) {
    await page.evaluate((hash) => location.assign(hash), path);
    await page.locator(ready).first().waitFor();
    const names = await page.locator("main button, proven-app button").allTextContents();
    const changes = names.filter((name) => /Test …|Cancel|Pause|Remove|Edit|New|Run|Check now|Each|Switch/.test(name));
    assert.deepEqual(changes, [], path);
  }
  readers.refuseAll(403);
  await page.evaluate(() => location.assign("#/policies"));
  await page.getByText("as the test wants it").first().waitFor();
  await close();
  await readers.close();
});
