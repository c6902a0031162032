import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, untilSo, visit } from "../support/browser.ts";
import { fakeAlerts } from "../support/fake-alerts.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

let browser: Browser;
let hub: FakeHub;

before(async () => {
  const [files] = [await panelFiles()];
  [browser, hub] = await Promise.all([
    launchBrowser(),
    startFakeHub({ files, alerting: true, scopes: ["read", "write"], everyMs: 3_600_000 }),
  ]);
});
after(async () => {
  await browser.close();
  await hub.close();
});

/** Name of what has the focus, however deep in shadow roots it is. */
const focused = (page: Page) =>
  page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element?.getAttribute("aria-label") ?? element?.textContent?.trim() ?? "";
  });

test("whoever is about to take an alert by keyboard takes that one, also when a worse one comes in above it", async () => {
  const { page, close } = await visit(browser, hub);
  const take = page.getByRole("button", { name: "Take: Storage nfs1 is 91 % full" });
  await take.focus();
  const [first] = fakeAlerts(Date.now()).filter(({ state }) => state === "firing");
  assert.ok(first !== undefined);
  await hub.send("alerts", [{ ...first, id: "worse@1", severity: "critical", text: "Pool tank is gone", acknowledged: null }]);
  await page.getByRole("button", { name: "Take: Pool tank is gone" }).waitFor();
  assert.equal(await focused(page), "Take: Storage nfs1 is 91 % full");
  await close();
});

test("the focus stays with its guest while the list sorts itself anew by what is measured", async () => {
  const { page, close } = await visit(browser, hub, { path: `#key=${hub.key}` });
  await page.locator("proven-guests tbody tr").first().waitFor();
  await page.evaluate(() => location.assign("#/guests?sort=-cpu"));
  const rows = page.locator("proven-guest-list tbody tr");
  const link = rows.nth(3).getByRole("link");
  const name = (await link.textContent())?.trim();
  await link.focus();
  const guests = await page.evaluate(async () => (await (await fetch("/api/v1/guests")).json()).items);
  const busy = { state: "fresh", value: 0.999, at: Date.now() };
  const now = guests.map((guest: { vmid: number; name: string }) =>
    `${guest.vmid} ${guest.name}` === name ? { ...guest, cpu: busy } : { ...guest, cpu: { ...busy, value: 0.01 } },
  );
  await hub.send("guests", now);
  await untilSo(page, async () => {
    const cell = document.querySelector("proven-app")?.shadowRoot?.querySelector("proven-guest-list")?.shadowRoot;
    const table = cell?.querySelector("proven-guests")?.shadowRoot?.querySelector("proven-table")?.shadowRoot;
    return (
      table?.querySelector("tbody tr")?.textContent?.includes("99.9 %") === true ||
      table?.querySelector("tbody tr")?.textContent?.includes("100 %") === true
    );
  });
  assert.equal((await rows.first().getByRole("link").textContent())?.trim(), name);
  assert.equal(await focused(page), name);
  await close();
});

test("in the width that Proxmox VE's page leaves a tab at 1366 px, guests are told by their names", async () => {
  const { page, close } = await visit(browser, hub, { width: 950 });
  await page.evaluate(() => location.assign("#/guests"));
  const heading = page.locator("proven-guest-list th").first();
  await heading.waitFor();
  assert.ok(((await heading.boundingBox())?.width ?? 0) >= 150);
  await page.setViewportSize({ width: 1366, height: 768 });
  await page.locator("proven-guest-list th", { hasText: "Tags" }).waitFor();
  await close();
});
