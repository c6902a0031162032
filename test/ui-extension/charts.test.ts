import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Browser, Locator, Page } from "playwright-core";
import { coloursDrawn, launchBrowser, visit } from "../support/browser.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

let browser: Browser;
let hub: FakeHub;
before(async () => {
  const files = await panelFiles();
  [browser, hub] = await Promise.all([launchBrowser(), startFakeHub({ files, everyMs: 300 })]);
});
after(async () => {
  await browser.close();
  await hub.close();
});

const chart = (page: Page, id: string): Locator => page.locator(`proven-chart[data-chart=${id}]`);
const hashOf = (page: Page) => page.evaluate(() => location.hash);

async function open(hash: string, first: string): Promise<{ page: Page; complaints: string[]; close(): Promise<void> }> {
  const visited = await visit(browser, hub);
  await visited.page.getByText("live", { exact: true }).waitFor();
  await visited.page.evaluate((to) => {
    history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate"));
  }, hash);
  await chart(visited.page, first).scrollIntoViewIfNeeded();
  await chart(visited.page, first).locator("canvas").waitFor();
  return visited;
}

test("dragging over a chart shows just that stretch in all of them, + and − zoom, a double click shows the usual range again", async () => {
  const { page, complaints, close } = await open("#/node/pve1?range=24h", "cpu");
  const box = await chart(page, "cpu").locator(".u-over").boundingBox();
  assert.ok(box);
  const asked = page.waitForRequest((sent) => sent.url().endsWith("/series/query") && sent.postDataJSON().stepMs === 60_000);
  await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 4 });
  await page.mouse.up();
  const { from, to } = (await asked).postDataJSON();
  assert.ok(Math.abs(to - from - 6 * 3_600_000) < 20 * 60_000, `${(to - from) / 3_600_000} h`);
  assert.match(await hashOf(page), /^#\/node\/pve1\?range=\d+-\d+$/);

  const nearer = page.waitForRequest((sent) => sent.url().endsWith("/series/query") && sent.postDataJSON().stepMs === 20_000);
  await chart(page, "cpu").getByRole("slider").focus();
  await page.keyboard.press("+");
  const query = (await nearer).postDataJSON();
  assert.ok(Math.abs((query.to - query.from) / (to - from) - 0.5) < 0.05);
  await chart(page, "cpu").locator(".u-over").dblclick();
  await page.waitForFunction(() => location.hash === "#/node/pve1?range=24h");
  assert.deepEqual(complaints, []);
  await close();
});

test("a length is typed as people write it, from and to are chosen, and what isn't understood is said", async () => {
  const { page, complaints, close } = await open("#/node/pve1", "cpu");
  const typed = page.getByLabel("Other length, such as 6h, 90min, 3d");
  await typed.fill("soon");
  await typed.press("Enter");
  await page.getByRole("alert").getByText("Not understood: write 6h, 90min or 3d.").waitFor();
  await typed.fill("2 days");
  await typed.press("Enter");
  await page.waitForFunction(() => location.hash === "#/node/pve1?range=2d");
  await page.getByText("From … to …").click();
  await page.getByLabel("From", { exact: true }).fill("2026-11-01T02:00");
  await page.getByLabel("To", { exact: true }).fill("2026-11-01T03:30");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.waitForFunction(() => /range=\d+-\d+$/.test(location.hash));
  const [, from = "", to = ""] = /range=(\d+)-(\d+)$/.exec(await hashOf(page)) ?? [];
  assert.equal(Number(to) - Number(from), 90 * 60_000);
  await page.getByRole("button", { name: "Earlier" }).click();
  await page.waitForFunction((start) => location.hash.includes(`range=${start}`), Number(from) - 45 * 60_000);
  await page.getByRole("button", { name: "Reset zoom" }).click();
  await page.waitForFunction(() => location.hash === "#/node/pve1");
  assert.deepEqual(complaints, []);
  await close();
});

test("what happened is marked on the charts, read out by n and p, and listed below them", async () => {
  const { page, complaints, close } = await open("#/guest/104?range=24h", "cpu");
  await page.getByText(/things? happened in this time/).waitFor();
  const plot = chart(page, "cpu").getByRole("slider");
  await plot.focus();
  await page.keyboard.press("End");
  for (let presses = 0; presses < 6; presses++) {
    await page.keyboard.press("p");
    if ((await plot.getAttribute("aria-valuetext"))?.includes("moved from pve1 to pve2")) break;
  }
  assert.match((await plot.getAttribute("aria-valuetext")) ?? "", /guest 104 moved from pve1 to pve2/);
  await chart(page, "cpu").locator(".mark").getByText("guest 104 moved from pve1 to pve2").waitFor();
  assert.equal(await chart(page, "memory").locator(".mark").count(), 0);
  await page.getByText(/things? happened in this time/).click();
  await page.getByRole("button", { name: "guest 104 moved from pve1 to pve2" }).click();
  await chart(page, "cpu").locator(".mark").getByText("guest 104 moved").waitFor();
  await page.getByRole("button", { name: "marks" }).click();
  assert.equal(await chart(page, "cpu").locator(".mark").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test("a chart is saved as CSV with its values and as PNG with its picture", async () => {
  const { page, complaints, close } = await open("#/node/pve1", "memory");
  const download = async (button: string) => {
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      chart(page, "memory").getByRole("button", { name: button }).click(),
    ]);
    return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
  };
  const csv = await download("Memory: save the values as CSV");
  assert.match(csv.name, /^pve1 Memory \d{4}-\d\d-\d\d\.csv$/);
  const [head = "", first = "", ...rest] = csv.bytes.toString().trim().split("\r\n");
  assert.equal(head, "time,used,used (min),used (max),ZFS cache (ARC),ZFS cache (ARC) (min),ZFS cache (ARC) (max),installed");
  assert.match(first, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z,\d/);
  assert.equal(rest.length, 179);
  assert.ok(
    rest.some((row) => /Z,,,,,,,$/.test(row)),
    "the gap of the history is empty fields",
  );
  const png = await download("Memory: save the picture as PNG");
  assert.match(png.name, /\.png$/);
  assert.deepEqual([...png.bytes.subarray(1, 4)], [...Buffer.from("PNG")]);
  assert.deepEqual(complaints, []);
  await close();
});

test("charts go on with what the stream tells, without another question, and only those in sight are drawn", async () => {
  const { page, complaints, close } = await open("#/node/pve1", "cpu");
  const drawn = () => page.locator("proven-chart canvas").count();
  const all = await page.locator("proven-chart").count();
  assert.ok((await drawn()) < all, `${await drawn()} of ${all} drawn`);
  await page.locator("proven-chart").last().scrollIntoViewIfNeeded();
  await page.locator("proven-chart").last().locator("canvas").waitFor();

  await chart(page, "cpu").scrollIntoViewIfNeeded();
  const asked = hub.queries.filter((query) => query.stepMs === 20_000).length;
  const nodes = await page.evaluate(async () => (await (await fetch("/api/v1/nodes")).json()).items);
  for (const node of nodes) node.cpu = { state: "fresh", value: 0.987, at: Date.now() };
  await hub.send("nodes", nodes);
  await page.waitForFunction(() => {
    const charts = document
      .querySelector("proven-app")
      ?.shadowRoot?.querySelector("proven-node")
      ?.shadowRoot?.querySelector("proven-charts");
    const cpu = charts?.shadowRoot?.querySelector("[data-chart=cpu]");
    return (cpu as unknown as { lines: { values: (number | null)[] }[] }).lines[0]?.values.includes(0.987);
  });
  assert.equal(hub.queries.filter((query) => query.stepMs === 20_000).length, asked);
  assert.ok((await coloursDrawn(chart(page, "cpu"))) > 10);
  assert.deepEqual(complaints, []);
  await close();
});
