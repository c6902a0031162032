import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { GuestView, Page as ListPage } from "#protocol/api.ts";
import { passwordOf } from "../lab/sign-in.ts";
import { launchBrowser } from "../support/browser.ts";
import { extFiles } from "../support/pve-shell/ext.ts";
import { startLabShell } from "../support/pve-shell/lab-shell.ts";
import { loaderText } from "../support/pve-shell/shell-visit.ts";
import { freePort, System } from "../support/system.ts";

const { problem: skip = false } = extFiles();

/** Real hub, agent, gateway and loader on the lab; only the page's classes are our own. */
describe("Proven inside Proxmox VE's page", { concurrency: false, skip }, () => {
  const state = mkdtempSync(join(tmpdir(), "proven-page-"));
  let system: System;
  let browser: Browser;
  let shell: { url: string; close(): Promise<void> };

  before(async () => {
    const port = await freePort();
    system = await System.prepare({ state, lab: { nodes: 2, guests: 8, pvePort: port, refusalDelayMs: 10 } });
    await system.startHub();
    await system.startAgents();
    await system.until(
      "guests",
      () => system.get<ListPage<GuestView>>("guests"),
      ({ items }) => items.length >= 8,
    );
    const gatewayPort = await system.until(
      "gateway",
      async () => system.gatewayPort("pve1") ?? 0,
      (value) => value > 0,
    );
    const opened = await startLabShell({
      lab: system.lab,
      node: "pve1",
      loader: await loaderText(),
      port,
      gatewayPort,
      say: () => {},
    });
    assert.ok(opened.problem === undefined, opened.problem);
    shell = opened.shell;
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await shell?.close();
    await system?.stop();
    rmSync(state, { recursive: true, force: true });
  });

  /** Signs in by the login form. */
  async function signIn(user: string): Promise<{ page: Page; complaints: string[]; close(): Promise<void> }> {
    const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, ignoreHTTPSErrors: true });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(shell.url);
    await page.getByLabel("User name").fill(user);
    await page.getByLabel("Password").fill(passwordOf(user));
    await page.getByRole("button", { name: "Login" }).click();
    return { page, complaints, close: () => context.close() };
  }

  const guests = (page: Page) => page.locator(".x-tree-node-text").getByText(/^\d+ \(/);
  const openTab = (page: Page) => page.locator(".x-treelist").getByText("Proven", { exact: true }).click();

  test("the administrator sees his guests, the strip, charts of one of them, and nothing complains", async () => {
    const { page, complaints, close } = await signIn("root@pam");
    await guests(page).first().click();
    await page.locator(".proven-strip").getByText("No restore proof yet").waitFor();
    assert.equal(await guests(page).count(), 8);
    await openTab(page);
    await page.locator("proven-chart[data-chart=cpu] canvas").first().waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("bob, who may use one guest, sees that one in Proven and no other", async () => {
    const { page, close } = await signIn("bob@pve");
    await guests(page).first().waitFor();
    assert.deepEqual(await guests(page).allTextContents(), ["100 (web01)"]);
    await page.locator(".x-tree-node-text").getByText("Datacenter").click();
    await openTab(page);
    await page.locator("proven-guests tbody tr[data-key]").first().waitFor();
    assert.equal(await page.locator("proven-guests tbody tr[data-key]").count(), 1);
    await close();
  });

  test("the switch on the node ends it without a new page", async () => {
    const { root = "" } = system.lab.places().agents.find(({ node }) => node === "pve1") ?? {};
    mkdirSync(join(root, "etc/proven"), { recursive: true });
    writeFileSync(join(root, "etc/proven/ui-disabled"), "");
    const { page, close } = await signIn("root@pam");
    await guests(page).first().click();
    await openTab(page);
    await page.getByText("Proven is switched off on this node (/etc/proven/ui-disabled).").waitFor();
    rmSync(join(root, "etc/proven/ui-disabled"));
    await close();
  });
});
