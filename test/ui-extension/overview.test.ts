import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, visit } from "../support/browser.ts";
import { type FakeHub, type FakeHubOptions, panelFiles, startFakeHub } from "../support/fake-hub.ts";

let browser: Browser;
let files: Map<string, Uint8Array>;
const hubs: FakeHub[] = [];

before(async () => {
  [browser, files] = await Promise.all([launchBrowser(), panelFiles()]);
});
after(async () => {
  await browser.close();
  await Promise.all(hubs.map((hub) => hub.close()));
});

async function startHub(options: Partial<FakeHubOptions> = {}): Promise<FakeHub> {
  const hub = await startFakeHub({ files, everyMs: 60_000, ...options });
  hubs.push(hub);
  return hub;
}
const night = { silent: 1, trouble: true, alerting: true, scopes: ["read", "write"] } satisfies Partial<FakeHubOptions>;
const answer = (page: Page, name: string) => page.locator(`[data-answer=${name}]`);
const hash = (page: Page) => page.evaluate(() => location.hash);

test("the three answers stand on 1366 × 768 without scrolling, each with what it stands on; nothing is green without proof", async () => {
  const { page, complaints, close } = await visit(browser, await startHub(night));
  await answer(page, "wrong").getByText("Node pve3 is offline, say the other members").waitFor();
  await answer(page, "protected").getByText("2 guests missed their backup").waitFor();
  await answer(page, "protected").getByText("the newest backup failed, the last good one 2 d ago").waitFor();
  await answer(page, "protected").getByText("backup overdue for 32 h").waitFor();
  await answer(page, "protected").getByText("No restore proof yet").waitFor();
  await answer(page, "changed").getByText("guest 104 moved from pve1 to pve2").waitFor();
  for (const name of ["wrong", "protected", "changed"]) {
    const bottom = await answer(page, name).evaluate((section) => section.getBoundingClientRect().bottom);
    assert.ok(bottom < 768, `${name} ends at ${bottom}`);
  }
  assert.equal(await answer(page, "protected").locator(".ok").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test("an alert is taken from the overview itself, and goes from the list", async () => {
  const hub = await startHub(night);
  const { page, close } = await visit(browser, hub);
  await page.getByRole("button", { name: "Take: Storage nfs1 is 91 % full" }).click();
  await answer(page, "wrong").getByText("You took it: no repeats, no escalation.").waitFor();
  await answer(page, "wrong").getByText("Storage nfs1 is 91 % full").waitFor({ state: "detached" });
  assert.match(hub.writes.at(-1)?.path ?? "", /nfs1.*\/ack$/);
  await close();
});

test("the first page says of each node what its loss would do, the worst first", async () => {
  const hub = await startHub();
  const { page, complaints, close } = await visit(browser, hub);
  const row = page.locator("proven-recovery tbody tr").first();
  assert.match((await row.textContent()) ?? "", /\d lost · \d+ not proven · \d+ stay/);
  await row.getByText("up to 12 h old").waitFor();
  await row.getByText(/4 min for|for \d+ of \d+/).waitFor();
  await row.getByRole("link").click();
  await page.getByRole("heading", { name: /^If pve\d burned now$/ }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("widgets are moved, hidden and added by keyboard, and stay so for their user", async () => {
  const hub = await startHub();
  const { page, complaints, close } = await visit(browser, hub);
  const order = () => page.locator("[data-widget]").evaluateAll((all) => all.map((one) => one.getAttribute("data-widget")));
  await page.getByRole("button", { name: "Arrange this page" }).focus();
  await page.keyboard.press("Enter");
  assert.deepEqual(await order(), ["figures", "nodes", "recovery", "storages", "busiest", "guests", "tasks"]);
  await page.getByRole("button", { name: "Move Guests up" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("Guests: place 5 of 7").waitFor();
  await page.keyboard.press("ArrowUp");
  await page.getByText("Guests: place 4 of 7").waitFor();
  await page.locator("[data-widget=tasks]").getByRole("button", { name: "Hide" }).press("Enter");
  await page.getByRole("button", { name: "+ Open alerts" }).press("Enter");
  await page.locator("[data-widget=alerts]").getByText("None needs you now.").waitFor();
  await page.getByRole("button", { name: "Done" }).press("Enter");
  const arranged = ["figures", "nodes", "recovery", "guests", "storages", "busiest", "alerts"];
  assert.deepEqual(await order(), arranged);
  await page.reload();
  await page.locator("[data-widget=alerts]").waitFor();
  assert.deepEqual(await order(), arranged);
  assert.equal(hub.layout().widgets.find(({ id }) => id === "tasks")?.hidden, true);
  assert.deepEqual(complaints, []);
  await close();
});

test("/ and Ctrl-K find guests, nodes, storages, alerts and pages by the keyboard alone", async () => {
  const { page, complaints, close } = await visit(browser, await startHub({ ...night, guests: 120 }));
  await answer(page, "wrong").waitFor();
  const find = async (keys: string, question: string, expected: string, place: string) => {
    await page.keyboard.press(keys);
    await page.getByRole("dialog", { name: "Search" }).waitFor();
    await page.keyboard.type(question);
    await page.getByRole("option", { name: expected, selected: true }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Search" }).waitFor({ state: "detached" });
    assert.equal(await hash(page), place);
  };
  await find("/", "mail02", "117 mail02", "#/guest/117");
  await find("Control+k", "pve2", "pve2", "#/node/pve2");
  await find("/", "nfs", "nfs1", "#/storage/nfs1");
  await find("/", "silnc", "Silences", "#/silences");
  await page.keyboard.press("/");
  await page.getByRole("dialog", { name: "Search" }).waitFor();
  await page.keyboard.type("91 % full");
  await page.getByRole("option", { name: /91 % full/, selected: true }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByText("it held for 10 min").waitFor();
  await page.keyboard.press("/");
  await page.getByRole("dialog", { name: "Search" }).waitFor();
  await page.keyboard.type("no such thing");
  await page.getByText("Nothing of that name, or you may not see it.").waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(
    complaints.filter((line) => !line.startsWith("Failed to load resource")),
    [],
  );
  await close();
});

test("? lists the shortcuts; g and a letter go to a page, but not while one types", async () => {
  const { page, close } = await visit(browser, await startHub(night));
  await answer(page, "wrong").waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByText("Wall screen", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.type("ga");
  await page.getByRole("heading", { name: "1 critical + 1 warning need you" }).waitFor();
  await page.keyboard.type("gg");
  await page.getByLabel("Filter guests").focus();
  await page.keyboard.type("ga/?");
  assert.equal(await hash(page), `#/guests?filter=${encodeURIComponent("ga/?")}`);
  await close();
});

test("filter and sorting of the guest list are in its address; filters with a name and columns are kept for their user", async () => {
  const hub = await startHub({ guests: 120 });
  const { page, close } = await visit(browser, hub);
  await page.locator("proven-answers").waitFor();
  await page.keyboard.type("gg");
  const list = page.locator("proven-guest-list");
  await list.waitFor();
  await page.getByLabel("Filter guests").fill("tag:prod");
  await page.getByRole("button", { name: "Save filter" }).click();
  await page.getByLabel("Filter guests").fill("");
  await page.getByLabel("Saved filters").selectOption("tag:prod");
  await list.getByRole("button", { name: "CPU" }).click();
  await list.getByRole("button", { name: "CPU" }).click();
  assert.equal(await hash(page), "#/guests?filter=tag%3Aprod&sort=-cpu");
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByLabel("Pool").check();
  await page.getByRole("columnheader", { name: "Pool" }).waitFor();
  await page.reload();
  await page.getByText("60 of 120").waitFor();
  assert.equal(await page.getByRole("columnheader", { name: "CPU" }).getAttribute("aria-sort"), "descending");
  await page.getByRole("columnheader", { name: "Pool" }).waitFor();
  assert.deepEqual(hub.layout().filters, [{ name: "tag:prod", filter: "tag:prod" }]);
  await close();
});

test("5,000 guests scroll from end to end with a bounded number of nodes", async () => {
  const { page, complaints, close } = await visit(browser, await startHub({ guests: 5000 }));
  await answer(page, "wrong").waitFor();
  await page.keyboard.type("gg");
  const table = page.locator("proven-guest-list proven-table");
  await table.getByRole("link", { name: "100 " }).waitFor();
  const seen = await table.evaluate(async (element) => {
    const root = element.shadowRoot;
    const scroll = root?.querySelector(".scroll");
    if (!root || !scroll) throw new Error("no table");
    let [most, longestMs] = [0, 0];
    let last = await new Promise<number>((done) => requestAnimationFrame(done));
    for (let top = 0; top < 150_000; top += 2500) {
      scroll.scrollTop = top;
      const now = await new Promise<number>((done) => requestAnimationFrame(done));
      longestMs = Math.max(longestMs, now - last);
      last = now;
      most = Math.max(most, root.querySelectorAll("*").length);
    }
    scroll.scrollTop = scroll.scrollHeight;
    return { most, longestMs };
  });
  await table.getByRole("link", { name: "5099 " }).waitFor();
  console.log(`5,000 guests: at most ${seen.most} nodes in the table, longest frame ${seen.longestMs.toFixed(0)} ms`);
  assert.ok(seen.most < 2500, `${seen.most} nodes`);
  assert.deepEqual(complaints, []);
  await close();
});

test("the wall screen turns its pages by itself, tells the age, and says at once when the connection is lost", async () => {
  const hub = await startHub(night);
  const { page, complaints, close } = await visit(browser, hub);
  await answer(page, "wrong").waitFor();
  await page.clock.install();
  await page.keyboard.type("gt");
  const screen = page.locator("proven-screen");
  await screen.getByRole("heading", { name: "Is anything wrong?" }).waitFor();
  await screen.getByText(/newest sample \d+ s old/).waitFor();
  await page.clock.runFor(15_000);
  await screen.getByRole("heading", { name: "Is everything protected?" }).waitFor();
  hub.dropStreams(true);
  await screen.getByText(/No connection for .*: this is not live\./).waitFor();
  await screen.getByRole("heading", { name: /^Not known now; .* ago: Node pve3 is offline/ }).waitFor();
  await page.keyboard.press("Escape");
  await answer(page, "wrong").waitFor();
  assert.deepEqual(
    complaints.filter((line) => !line.startsWith("Failed to load resource")),
    [],
  );
  await close();
});

test("with 120 guests the answers stand after questions about all of them, none about one alone", async (t) => {
  const hub = await startHub({ guests: 120 });
  const { page, close } = await visit(browser, hub);
  await answer(page, "wrong").waitFor();
  await page.evaluate(() => location.assign("#/"));
  const asked: string[] = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/api/")) asked.push(pathname.slice("/api/v1/".length));
  });
  await page.reload();
  await answer(page, "wrong").waitFor();
  const paintMs = await page.evaluate(() => performance.now());
  const firstMs = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
  t.diagnostic(`120 guests: first paint after ${firstMs.toFixed(0)} ms, the answers after at most ${paintMs.toFixed(0)} ms`);
  assert.ok(asked.includes("protection"), asked.join());
  assert.deepEqual(
    asked.filter((path) => /\d/.test(path)),
    [],
  );
  await close();
});

test("where more guests are not protected than are shown, the rest leads to the list, those without a backup first", async () => {
  const { page, close } = await visit(browser, await startHub({ guests: 420 }));
  const rest = answer(page, "protected").getByRole("link", { name: /^and \d+ more$/ });
  await rest.click();
  await page.locator("proven-guest-list tbody tr[data-key]").first().waitFor();
  assert.equal(await hash(page), "#/guests?sort=protection");
  await page.locator("proven-guest-list tbody tr[data-key]").first().getByText("no job").waitFor();
  await close();
});
