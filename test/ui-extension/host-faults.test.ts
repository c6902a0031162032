import assert from "node:assert/strict";
import { test } from "node:test";
import { ShellSuite } from "../support/pve-shell/shell-suite.ts";
import type { ShellVisit, ShellWorld } from "../support/pve-shell/shell-visit.ts";

const shells = new ShellSuite({ minify: false });
const { skip } = shells;

type Tabs = {
  savedItems: Record<string, object>;
  activeCard: { itemId: string; rendered: boolean };
  selectById(id: string): boolean;
};
type ExtWindow = {
  Ext: { ComponentQuery: { query(selector: string): Tabs[] } };
  PVE: { curSelectedNode: { data: { id: string } } };
};

/** Goes through objects and their tabs as a click does; what each showed: `object: tab rendered …`. */
async function walk({ page }: ShellVisit, id: string): Promise<string[]> {
  return await page.evaluate(async (wanted) => {
    const { Ext } = window as unknown as ExtWindow;
    const tree = Ext.ComponentQuery.query("#tree")[0] as unknown as { selectResource(id: string): boolean };
    tree.selectResource("root");
    tree.selectResource(wanted);
    const [tabs] = Ext.ComponentQuery.query("pvePanelConfig");
    if (tabs === undefined) return [];
    const shown: string[] = [];
    for (const id of Object.keys(tabs.savedItems)) {
      tabs.selectById(id);
      // What a tab loads comes before the next one is chosen: faults of answers are met too.
      if (id === "proven" || id === "summary")
        for (let frame = 0; frame < 4; frame++) await new Promise((next) => requestAnimationFrame(next));
      shown.push(`${tabs.activeCard.itemId}${tabs.activeCard.rendered ? "" : " not rendered"}`);
    }
    return shown;
  }, id);
}

/** Everything the page does without us, it still does: objects, tabs, cards. True: our tab is among them. */
async function assertPageWorks(visit: ShellVisit, fault: string): Promise<boolean> {
  await visit.page.locator(".x-tree-node-text").getByText("101 (db01)").waitFor();
  const [datacenter, guest] = [await walk(visit, "root"), await walk(visit, "qemu/101")];
  const others = (shown: string[]) => shown.filter((id) => id !== "proven");
  assert.deepEqual(others(datacenter), ["summary", "notes", "options", "storage", "permissions"], fault);
  assert.deepEqual(others(guest), ["summary", "console", "hardware", "backup", "permissions"], fault);
  return datacenter.includes("proven") && guest.includes("proven");
}

/**
 * The text with a fault at the head of each function's body: it throws while `window.faults` holds its number. The first one is the module's or
 * the script's own body, and so left as it is.
 */
function withFaults(text: string): { text: string; count: number } {
  let count = 0;
  const lines = text.split("\n").map((line, index) => {
    const begins =
      /(?:\bfunction\b.*\)|=>|^ +(?:async )?#?\w+\(.*\)) \{$/.test(line) &&
      !/^ +(?:if|for|switch|while|catch)\b/.test(line) &&
      index > 1;
    // Not the guard itself: what stands around a `try` is ours to read.
    const guard = /^\s*try \{$/.test(text.split("\n")[index + 1] ?? "") || /initComponent = function/.test(line);
    if (!begins || guard || /constructor\(/.test(line)) return line;
    return `${line} (window.faultsMet ??= new Set()).add(${count}); if (window.faults?.has(${count})) throw new Error("fault ${count++}");`;
  });
  return { text: lines.join("\n"), count };
}

/** Throws each fault in a page that runs, and the first `earlyMax` that a fresh page meets also while it loads. Returns how many were met. */
async function throwEverywhere(world: ShellWorld, count: number, earlyMax: number): Promise<number> {
  const visit = await world.visit(shells.browser);
  await assertPageWorks(visit, "no fault");
  const early = await visit.page.evaluate(() => [...((window as unknown as { faultsMet?: Set<number> }).faultsMet ?? [])]);
  for (let fault = 0; fault < count; fault++) {
    await visit.page.evaluate((wanted) => Object.assign(window, { faults: new Set([wanted]) }), fault);
    await assertPageWorks(visit, `fault ${fault} while the page runs`);
  }
  const met = await visit.page.evaluate(() => (window as unknown as { faultsMet: Set<number> }).faultsMet.size);
  for (const fault of early.slice(0, earlyMax)) {
    await visit.page.addInitScript((wanted) => Object.assign(window, { faults: new Set([wanted]) }), fault);
    await visit.page.reload();
    await assertPageWorks(visit, `fault ${fault} from the beginning`);
  }
  await visit.close();
  return met;
}

test("an exception thrown in any function of the loader leaves Proxmox VE's page working", { skip }, async () => {
  const faulty = withFaults(shells.loader);
  assert.ok(faulty.count >= 12, `${faulty.count} functions found`);
  const world = await shells.startWorld({ loader: faulty.text });
  const met = await throwEverywhere(world, faulty.count, faulty.count);
  assert.ok(met >= faulty.count - 4, `only ${met} of ${faulty.count} were reached`);
});

test("an exception thrown in any function of the marks leaves Proxmox VE's page working", { skip }, async () => {
  const source = new TextDecoder().decode(shells.files.get("host-marks.js"));
  const own = source.indexOf("// ui-extension/host/access.ts");
  assert.ok(own > 0);
  const faulty = withFaults(source.slice(own));
  assert.ok(faulty.count >= 15, `${faulty.count} functions found`);
  const changed = new Map(shells.files).set("host-marks.js", new TextEncoder().encode(source.slice(0, own) + faulty.text));
  await throwEverywhere(await shells.startWorld({ files: changed }), faulty.count, 4);
});

const panelFaults: [name: string, source: string][] = [
  ["that can't be parsed", "export const = ;"],
  ["that throws at once", "throw new Error('at once')"],
  ["without a mount", "export const other = 1"],
  ["whose mount throws", "export const mount = () => { throw new Error('mount') }"],
  ["whose unmount throws", "export const mount = () => () => { throw new Error('unmount') }"],
  ["that gives no unmount", "export const mount = () => undefined"],
];
test("a panel that fails in any way says so in its tab, and the others work", { skip }, async () => {
  const world = await shells.startWorld();
  const visit = await world.visit(shells.browser);
  for (const [name, source] of panelFaults) {
    world.gateway.override.set("/panel/host-panel.js", { status: 200, body: source });
    await visit.page.reload();
    assert.equal(await assertPageWorks(visit, name), true);
  }
  world.gateway.override.set("/panel/host-panel.js", { status: 200, body: "throw new Error('at once')" });
  const { page, tab, close } = visit;
  await page.reload();
  await tab("Proven");
  await page.getByRole("heading", { name: "The panel can't be shown" }).waitFor();
  await page.getByText("HTTP 200, Error: at once").waitFor();
  await close();
});

const otherLibraries: [name: string, change: (library: string) => string, tab: boolean][] = [
  ["no PVE.panel.Config", (text) => text.replaceAll("PVE.panel.Config", "PVE.panel.Other"), false],
  [
    "a PVE.panel.Config without initComponent of its own kind",
    (text) => `${text}\nPVE.panel.Config.prototype.initComponent = "changed";`,
    false,
  ],
  ["levels with other names", (text) => text.replace(/PVE\.(dc|qemu)\.Config/g, "PVE.$1.View"), false],
  ["no application controllers", (text) => `${text}\nExt.app.Controller = undefined;`, false],
  [
    "tabs that are no list",
    (text) => text.replace(/this\.callParent\(\);(?=\s*\},\s*\}\),)/, "this.items = new Map(); this.callParent();"),
    false,
  ],
  ["a tree of another class", (text) => text.replaceAll("PVE.tree.ResourceTree", "PVE.tree.OtherTree"), true],
  ["a Summary of another kind", (text) => text.replaceAll("pveGuestSummary", "pveOtherSummary"), true],
  ["a Summary that takes nothing in", (text) => `${text}\nPVE.guest.Summary.prototype.insert = undefined;`, true],
  ["a tree without a view", (text) => `${text}\nPVE.tree.ResourceTree.prototype.getStore = null;`, true],
];
/** Changes after which our own re-creation can't work either: only our silence is looked at. */
const beyondRepair = [
  "no PVE.panel.Config",
  "a PVE.panel.Config without initComponent of its own kind",
  "tabs that are no list",
  "a tree without a view",
];

for (const [name, change, tab] of otherLibraries) {
  test(`a Proxmox VE with ${name}: ${tab ? "the tab is there, what can't be marked isn't" : "no tab"}, no error of ours`, {
    skip,
  }, async () => {
    const world = await shells.startWorld({ changeLibrary: change });
    const plain = await world.visit(shells.browser, { path: "?proven=0" });
    const visit = await world.visit(shells.browser);
    if (beyondRepair.includes(name)) {
      await visit.page.waitForLoadState("networkidle");
      assert.equal(await visit.page.getByText("Proven", { exact: true }).count(), 0);
    } else {
      assert.equal(await assertPageWorks(visit, name), tab);
    }
    const ours = visit.complaints.filter((line) => !plain.complaints.includes(line) && !line.startsWith("Proven:"));
    assert.deepEqual(ours, []);
    await Promise.all([plain.close(), visit.close()]);
  });
}
