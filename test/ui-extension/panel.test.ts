import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { coloursDrawn, launchBrowser, visit } from "../support/browser.ts";
import { type FakeHub, type FakeHubOptions, panelFiles, startFakeHub } from "../support/fake-hub.ts";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const evil = `<img src=x onerror="document.title='owned'">`;
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
  const hub = await startFakeHub({ files, ...options });
  hubs.push(hub);
  return hub;
}

const widerThanScreen = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: {
        run(): Promise<{ violations: { id: string; impact: string; nodes: { target: unknown; failureSummary: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes[0]?.target)} ${nodes[0]?.failureSummary}`);
  });
}

test("the link of npm start signs in, leaves no key in the address, and leads from the overview over a node to a guest with charts", async () => {
  const hub = await startHub({ silent: 1, trouble: true });
  const { page, complaints, close } = await visit(browser, hub);
  await page.getByRole("heading", { name: "Node pve3 is offline, with 13 guests, and 3 more problems" }).waitFor();
  assert.equal(await page.evaluate(() => location.hash), "#/");
  await page.getByText("Restore proof: not set up yet").waitFor();
  assert.equal(
    await page
      .locator("proven-guests")
      .getByText(/unknown since \d\d/)
      .count(),
    13,
  );
  assert.equal(
    await page.locator("proven-nodes").evaluate((nodes) => nodes.getBoundingClientRect().bottom <= window.innerHeight),
    true,
  );

  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
  await page.getByRole("heading", { name: "pve1", exact: true }).waitFor();
  await page.locator("proven-chart[data-chart=load] canvas").waitFor();
  assert.equal(await page.locator("proven-chart").count(), 12);
  assert.ok((await coloursDrawn(page.locator("proven-chart").first())) > 10);

  await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).click();
  await page.getByRole("heading", { name: "102 mail01" }).waitFor();
  assert.equal(await page.evaluate(() => location.hash), "#/guest/102");
  await page.getByText("as its control group counts").first().waitFor();
  await page.locator("proven-chart[data-chart=pressure] canvas").waitFor();
  assert.ok((await coloursDrawn(page.locator("proven-chart").first())) > 10);
  assert.deepEqual(complaints, []);
  await close();
});

test("who follows a link by keyboard goes on at the page it led to, whose name the browser's tab tells", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub);
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "pve1", exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("proven-app")?.shadowRoot?.activeElement?.localName), "main");
  assert.equal(await page.title(), "pve1 · Proven");
  await page.goBack();
  await page.locator("proven-answers").waitFor();
  assert.equal(await page.title(), "Proven");
  await page.keyboard.press("/");
  await page.getByRole("dialog").getByRole("combobox").waitFor();
  await page.keyboard.type("pve1");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "pve1", exact: true }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.querySelector("proven-app")?.shadowRoot?.activeElement?.localName), "main");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").waitFor();
  assert.equal(await page.title(), "Proven");
  await close();
});

test("on paper all charts of a page are drawn, also those that nobody has scrolled to", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub);
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
  await page.locator("proven-chart[data-chart=cpu] canvas").waitFor();
  const all = await page.locator("proven-chart").count();
  assert.ok((await page.locator("proven-chart canvas").count()) < all);
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.locator("proven-chart canvas").count(), all);
  await close();
});

test("on paper a long table has all its rows, and on the screen again those in sight", async () => {
  const hub = await startHub({ guests: 120 });
  const { page, close } = await visit(browser, hub);
  const rows = page.locator("proven-guests tbody tr:not(.pad)");
  await rows.first().waitFor();
  assert.ok((await rows.count()) < 120);
  const print = (type: string) => page.evaluate((name) => void dispatchEvent(new Event(name)), type);
  await print("beforeprint");
  assert.equal(await rows.count(), 120);
  await print("afterprint");
  assert.ok((await rows.count()) < 120);
  await close();
});

test("another range asks for just that range in its step, and the cursor moves by keyboard in all charts at once", async () => {
  const hub = await startHub();
  const { page, complaints, close } = await visit(browser, hub);
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
  await page.locator("proven-chart[data-chart=cpu] canvas").waitFor();
  const asked: [string, number, number][] = [
    ["24h", 86_400_000, 120_000],
    ["7d", 604_800_000, 900_000],
    ["30d", 2_592_000_000, 3_600_000],
    ["1y", 31_622_400_000, 43_200_000],
  ];
  for (const [name, lengthMs, stepMs] of asked) {
    const request = page.waitForRequest((sent) => sent.url().endsWith("/series/query") && sent.postDataJSON().stepMs === stepMs);
    await page.getByRole("button", { name, exact: true }).click();
    const query = (await request).postDataJSON();
    assert.equal(query.to - query.from, lengthMs);
    assert.deepEqual(query.series[0], { cluster: "0123456789abcdef", entity: "node/pve1", metric: "cpu" });
  }
  assert.equal(await page.evaluate(() => location.hash), "#/node/pve1?range=1y");
  await page.locator("proven-chart[data-chart=cpu]").getByRole("slider").focus();
  await page.keyboard.press("ArrowLeft");
  await page
    .locator("proven-chart[data-chart=load] .when")
    .getByText(/^20\d\d-/)
    .waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a wrong key is refused with a reason, the right one signs in, and signing out ends it", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub, { path: "" });
  await page.getByLabel("API key").fill("pvn_wrong_key");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("This key was refused: no such key").waitFor();
  await page.getByLabel("API key").fill(hub.key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Everything that reports is fine" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").waitFor();
  await close();
});

test("a name full of markup stays text on every page", async () => {
  const hub = await startHub({ firstName: evil });
  const { page, complaints, close } = await visit(browser, hub);
  await page.locator("proven-guests").getByText(evil).first().click();
  await page.getByRole("heading", { name: evil }).waitFor();
  assert.equal(await page.title(), `100 ${evil} · Proven`);
  assert.equal(await page.locator("img").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

for (const dark of [false, true]) {
  test(`axe finds nothing serious, ${dark ? "dark" : "light"}`, async () => {
    const hub = await startHub({ silent: 1, trouble: true });
    const { page, close } = await visit(browser, hub, { dark });
    await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
    await page.locator("proven-chart[data-chart=load] canvas").waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await close();
  });
}

test("nothing is wider than a phone's 360 px", async () => {
  const hub = await startHub({ silent: 1, trouble: true });
  const { page, close } = await visit(browser, hub, { width: 360, height: 740 });
  await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).waitFor();
  assert.equal(await widerThanScreen(page), 0);
  await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).click();
  await page.locator("proven-chart[data-chart=cpu]").scrollIntoViewIfNeeded();
  await page.locator("proven-chart[data-chart=cpu] canvas").waitFor();
  assert.equal(await widerThanScreen(page), 0);
  await close();
});

test("a lost stream is told with its age, and goes live again by itself", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub);
  await page.getByText("live", { exact: true }).waitFor();
  hub.dropStreams(true);
  await page.getByText("The live stream is lost: this is not live.").waitFor();
  await page.getByText(/What you see is \d+ s old/).waitFor();
  hub.dropStreams(false);
  await page.getByText("live", { exact: true }).waitFor();
  assert.equal(await page.locator("proven-lost").count(), 0);
  await close();
});

test("what happened while the stream was lost stands under what changed when it is back", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub);
  await page.getByText("live", { exact: true }).waitFor();
  hub.dropStreams(true);
  await page.getByText("The live stream is lost: this is not live.").waitFor();
  await page.route("**/api/v1/events?*", async (route) => {
    const answer = await route.fetch();
    const { items, next } = await answer.json();
    const [newest] = items;
    const missed = { ...newest, id: newest.id + 1000, text: "Node pve2 went away and came back" };
    await route.fulfill({ response: answer, json: { items: [missed, ...items], next } });
  });
  hub.dropStreams(false);
  await page.locator("[data-answer=changed]").getByText("Node pve2 went away and came back").waitFor();
  await close();
});

test("a page whose script didn't come while the hub was away comes by itself when it is back", async () => {
  const hub = await startHub({ proof: true });
  const { page, close } = await visit(browser, hub, { noServiceWorker: true });
  await page.getByText("live", { exact: true }).waitFor();
  hub.dropStreams(true);
  await page.getByText("The live stream is lost: this is not live.").waitFor();
  await page.route("**/chunks/**", (route) => route.abort());
  await page.getByRole("link", { name: "Restore proof", exact: true }).click();
  await page.getByRole("heading", { name: "This page can't be shown" }).waitFor();
  await page.unroute("**/chunks/**");
  hub.dropStreams(false);
  await page.locator("proven-proofs tbody tr").first().waitFor();
  await close();
});

test("a session that has ended leads to the sign-in page; a refusal says what to do", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub);
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).waitFor();
  hub.endSessions();
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
  await page.getByText("Your session has ended. Sign in again to go on.").waitFor();
  await page.getByLabel("API key").fill(hub.key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "pve1", exact: true }).waitFor();
  hub.refuseAll(403);
  await page.reload();
  await page.getByRole("heading", { name: "You may not see this" }).waitFor();
  hub.refuseAll(500);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "The hub can't be asked" }).waitFor();
  await close();
});

test("without any agent the page says what to do", async () => {
  const hub = await startHub({ nodes: 0, guests: 0 });
  const { page, close } = await visit(browser, hub);
  await page.getByRole("heading", { name: "No agents yet" }).waitFor();
  await page.getByText(/proven-agent --check/).waitFor();
  await close();
});

test("of 5,000 guests a few dozen rows are drawn, and the filter is in the address", async () => {
  const hub = await startHub({ guests: 5000, everyMs: 60_000 });
  const { page, close } = await visit(browser, hub);
  const table = page.locator("proven-guests proven-table");
  await table.locator("tbody tr[data-key]").first().waitFor();
  assert.ok((await table.locator("tbody tr[data-key]").count()) < 60);
  await table.locator(".scroll").evaluate((scroll) => scroll.scrollTo(0, 90_000));
  await table.getByRole("link", { name: "3100 " }).first().waitFor();
  await page.getByLabel("Filter guests").fill("4711");
  await page.locator("proven-guests").getByText("1 of 5000").waitFor();
  assert.equal(await page.evaluate(() => location.hash), "#/?filter=4711");
  await close();
});

test("going to and fro between pages thirty times leaves no listener behind", async () => {
  const hub = await startHub({ everyMs: 60_000 });
  const { page, complaints, close } = await visit(browser, hub);
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).waitFor();
  const listeners = () =>
    page.locator("proven-app").evaluate((app) => {
      const { panel } = app as unknown as { panel: { now: { listeners: number }; store: { picture: { listeners: number } } } };
      return [panel.now.listeners, panel.store.picture.listeners];
    });
  const goAndReturn = async () => {
    await page.locator("proven-nodes").getByRole("link", { name: "pve2" }).click();
    await page.getByRole("link", { name: "Overview" }).click();
    await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).waitFor();
  };
  // With the first time there comes what is loaded when it is needed.
  await goAndReturn();
  const before = await listeners();
  for (let round = 0; round < 30; round++) await goAndReturn();
  const after = await listeners();
  // What is loaded late may listen only now; one that is left behind on each way would be thirty.
  for (const [index, count] of after.entries()) assert.ok(count - (before[index] ?? 0) < 10, `${before} became ${after}`);
  assert.deepEqual(complaints, []);
  await close();
});

test("Italian is spoken where the browser does, and the theme can be chosen", async () => {
  const hub = await startHub();
  const { page, close } = await visit(browser, hub, { locale: "it-IT" });
  await page.getByRole("heading", { name: "Tutto ciò che riferisce va bene" }).waitFor();
  await page.getByLabel("Tema").selectOption("dark");
  assert.equal(await page.locator("proven-app").getAttribute("theme"), "dark");
  await page.getByLabel("Lingua").selectOption("en");
  await page.getByRole("heading", { name: "Everything that reports is fine" }).waitFor();
  await close();
});
