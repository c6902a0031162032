import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { coloursDrawn, launchBrowser, visit } from "../support/browser.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

let browser: Browser;
let hub: FakeHub;
before(async () => {
  const files = await panelFiles();
  [browser, hub] = await Promise.all([launchBrowser(), startFakeHub({ files })]);
});
after(async () => {
  await browser.close();
  await hub.close();
});

test("vs last week lays the week before on every chart, and takes it away again", async () => {
  const { page, complaints, close } = await visit(browser, hub);
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
  const cpu = page.locator("proven-chart[data-chart=cpu]");
  await cpu.locator("canvas").waitFor();
  const labels = () => cpu.getByRole("listitem").allInnerTexts();
  assert.equal((await labels()).length, 2);
  const colours = await coloursDrawn(cpu);

  const request = page.waitForRequest(
    (sent) => sent.url().endsWith("/series/query") && sent.postDataJSON().offsetMs === 604_800_000,
  );
  const toggle = page.getByRole("button", { name: "vs last week" });
  await toggle.click();
  const query = (await request).postDataJSON();
  assert.deepEqual([query.to - query.from, query.stepMs], [3_600_000, 20_000]);
  await cpu.getByText("a week before").first().waitFor();
  assert.equal(await toggle.getAttribute("aria-pressed"), "true");
  assert.deepEqual(
    (await labels()).map((label) =>
      label
        .replace(/\d[\d.]* %/g, "0 %")
        .replace(/\s+/g, " ")
        .replace(/[+−]0 %|unchanged/, "change")
        .trim(),
    ),
    ["in use 0 % a week before 0 %, mean change", "waiting for I/O 0 % a week before 0 %, mean change"],
  );
  assert.ok((await coloursDrawn(cpu)) > colours);
  const load = await page.locator("proven-chart[data-chart=load]").getByRole("listitem").allInnerTexts();
  assert.deepEqual(
    load.map((label) => label.includes("a week before")),
    [true, false],
  );

  const week = page.waitForRequest(
    (sent) => sent.url().endsWith("/series/query") && sent.postDataJSON().stepMs === 900_000 && "offsetMs" in sent.postDataJSON(),
  );
  await page.getByRole("button", { name: "7d", exact: true }).click();
  assert.equal((await week).postDataJSON().offsetMs, 604_800_000);
  await toggle.click();
  await cpu.getByText("a week before").first().waitFor({ state: "detached" });
  assert.equal((await labels()).length, 2);
  assert.deepEqual(complaints, []);
  await close();
});

test("the overview names the busiest guests of the last hour by what is chosen, and leads to them", async () => {
  const { page, complaints, close } = await visit(browser, hub);
  const busiest = page.locator("proven-busiest");
  await busiest.getByRole("listitem").first().waitFor();
  assert.equal(await busiest.getByRole("listitem").count(), 5);
  await busiest
    .getByText(/^\d+ %$/)
    .first()
    .waitFor();
  const asked = page.waitForRequest((sent) => sent.url().endsWith("/series/top"));
  await busiest.getByRole("button", { name: "Network" }).click();
  assert.deepEqual((await asked).postDataJSON(), { class: "guests", metric: "net_in", n: 5, plus: ["net_out"] });
  await busiest.getByText("MB/s").first().waitFor();
  const first = busiest.getByRole("link").first();
  const name = (await first.textContent()) ?? "";
  await first.click();
  await page.getByRole("heading", { name: new RegExp(name) }).waitFor();
  assert.match(await page.evaluate(() => location.hash), /^#\/guest\/\d+$/);
  assert.deepEqual(complaints, []);
  await close();
});
