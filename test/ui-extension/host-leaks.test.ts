import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, CDPSession } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { extFiles } from "../support/pve-shell/ext.ts";
import { loaderText, type ShellVisit, type ShellWorld, shellFiles, startShellWorld } from "../support/pve-shell/shell-visit.ts";

const ext = extFiles();
const skip = ext.problem ?? false;
let browser: Browser;
let world: ShellWorld;

before(async () => {
  if (skip !== false) return;
  browser = await launchBrowser();
  world = await startShellWorld({ ext: ext.dir ?? "", loader: await loaderText(), files: await shellFiles() });
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  await world.close();
});

type Tabs = { selectById(id: string): boolean };
type ExtWindow = { Ext: { ComponentQuery: { query(selector: string): Tabs[] }; ComponentManager: { getAll(): unknown[] } } };

/** Chooses our tab and leaves it again, `times` times; each time the panel is up and live before. */
async function switchTabs({ page }: ShellVisit, times: number): Promise<void> {
  await page.evaluate(async (wanted) => {
    const { Ext } = window as unknown as ExtWindow;
    const [tabs] = Ext.ComponentQuery.query("pvePanelConfig");
    for (let time = 0; time < wanted; time++) {
      tabs?.selectById("proven");
      while (!document.querySelector("proven-app")?.shadowRoot?.querySelector("proven-overview, proven-guest"))
        await new Promise((next) => requestAnimationFrame(next));
      tabs?.selectById("permissions");
      if (document.querySelector("proven-app") !== null) throw new Error("the panel is still there");
    }
  }, times);
}

type Counts = { nodes: number; listeners: number; components: number; heapBytes: number };

async function collected(devtools: CDPSession): Promise<Omit<Counts, "components">> {
  for (let pass = 0; pass < 3; pass++) await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  const metric = (name: string) => metrics.find((entry) => entry.name === name)?.value ?? Number.NaN;
  return { nodes: metric("Nodes"), listeners: metric("JSEventListeners"), heapBytes: metric("JSHeapUsedSize") };
}

/** What the page holds after everything that can go has gone. */
async function countHeld({ page }: ShellVisit, devtools: CDPSession): Promise<Counts> {
  const components = await page.evaluate(() => (window as unknown as ExtWindow).Ext.ComponentManager.getAll().length);
  await page.waitForLoadState("networkidle");
  let held = await collected(devtools);
  // The last panel's timers and answers may hold it for some seconds more.
  for (let look = 0; look < 10; look++) {
    await page.waitForTimeout(1000);
    const now = await collected(devtools);
    if (now.nodes < held.nodes || now.listeners < held.listeners) held = now;
  }
  return { ...held, components };
}

test("200 switches to the tab and back leave no node, listener, component or stream behind", {
  skip,
  timeout: 180_000,
}, async (context) => {
  const visit = await world.visit(browser);
  const devtools = await visit.page.context().newCDPSession(visit.page);
  await devtools.send("Performance.enable");
  for (const object of ["Datacenter", "101 (db01)"]) {
    await visit.choose(object);
    await visit.tabs();
    await switchTabs(visit, 10);
    const first = await countHeld(visit, devtools);
    await switchTabs(visit, 100);
    const last = await countHeld(visit, devtools);
    context.diagnostic(`${object}: ${JSON.stringify(first)}, 100 switches later ${JSON.stringify(last)}`);
    assert.equal(world.gateway.streams(), 0);
    assert.equal(last.components, first.components);
    // One forgotten panel holds thousands of nodes and dozens of listeners.
    assert.ok(last.nodes - first.nodes < 500, `${first.nodes} nodes, then ${last.nodes}`);
    assert.ok(last.listeners - first.listeners < 20, `${first.listeners} listeners, then ${last.listeners}`);
    assert.ok(last.heapBytes - first.heapBytes < 1_000_000, `${first.heapBytes} bytes of heap, then ${last.heapBytes}`);
  }
  assert.deepEqual(visit.complaints, []);
  await visit.close();
});
