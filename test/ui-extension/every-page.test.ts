import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, type VisitOptions, visit } from "../support/browser.ts";
import { type FakeHub, type FakeHubOptions, panelFiles, startFakeHub } from "../support/fake-hub.ts";

/** Pictures of every page are kept where `PROVEN_SHOTS` says. */
const shots = process.env.PROVEN_SHOTS;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>'"\`\${7*7}`;
const nfs = encodeURIComponent("storage-full@0123456789abcdef/storage/nfs1#1");

/** Every page with an element that stands there once it has its content. */
const pages: [name: string, hash: string, ready: string][] = [
  ["overview", "#/", "proven-answers li"],
  ["guests", "#/guests", "proven-guest-list tbody tr"],
  ["proofs", "#/proofs", "proven-proofs tbody tr"],
  ["run", "#/proofs/run-100", "proven-run ol li"],
  ["policies", "#/policies/weekly", "proven-policy-form .tried p"],
  ["reports", "#/reports", "proven-report .line"],
  ["alerts", "#/alerts", "proven-alert-row h3"],
  ["history", "#/alerts/history", "proven-alert-history tbody tr"],
  ["why", `#/alerts/${nfs}`, "proven-why h1"],
  ["rules", "#/rules", "proven-rules table, proven-rules li"],
  ["rule", "#/rules/node-cpu", "proven-rule form"],
  ["silences", "#/silences", "proven-silences li"],
  ["routes", "#/routes", "proven-routes li"],
  ["events", "#/events", "proven-event-log li"],
  ["agents", "#/agents", "proven-agents tbody tr"],
  ["browser", "#/browser", "proven-browser h2"],
  ["node", "#/node/pve1", "proven-node h1"],
  ["guest", "#/guest/102", "proven-guest h1"],
  ["storage", "#/storage/nfs1", "proven-storage h1"],
  ["zpool", "#/zpool/pve1/tank", "proven-pool h1"],
  ["screen", "#/screen", "proven-screen h2"],
];

let browser: Browser;
let files: Map<string, Uint8Array>;
const hubs: FakeHub[] = [];
const night = {
  silent: 1,
  trouble: true,
  alerting: true,
  proof: true,
  everyMs: 60_000,
  guests: 120,
} satisfies Partial<FakeHubOptions>;

before(async () => {
  [browser, files] = await Promise.all([launchBrowser(), panelFiles()]);
});
after(async () => {
  await browser.close();
  await Promise.all(hubs.map((hub) => hub.close()));
});

async function startHub(options: Partial<FakeHubOptions> = {}): Promise<FakeHub> {
  const hub = await startFakeHub({ files, ...night, scopes: ["read", "write"], ...options });
  hubs.push(hub);
  return hub;
}

/** Goes to each page in turn and looks at it there. */
async function onEveryPage(
  options: VisitOptions & { hub?: FakeHub },
  look: (page: Page, name: string) => Promise<void>,
): Promise<string[]> {
  const { page, complaints, close } = await visit(browser, options.hub ?? (await startHub()), options);
  await page.locator("proven-answers").waitFor();
  for (const [name, hash, ready] of pages) {
    await page.evaluate((place) => location.assign(place), hash);
    await page.locator(ready).first().waitFor();
    if (shots !== undefined) await page.waitForLoadState("networkidle");
    await look(page, name);
  }
  await close();
  return complaints;
}

async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    type Finding = { id: string; impact: string; nodes: { target: unknown; failureSummary: string }[] };
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes[0]?.target)} ${nodes[0]?.failureSummary}`);
  });
}

async function keepShot(page: Page, name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

const looks: [name: string, options: VisitOptions][] = [
  ["light", {}],
  ["dark", { dark: true }],
  ["phone", { width: 360, height: 740 }],
];
for (const [look, options] of looks) {
  test(`${look}: axe finds nothing serious on any page, and none is wider than its window or longer than what it holds`, async () => {
    const found: string[] = [];
    await onEveryPage(options, async (page, name) => {
      await keepShot(page, `${name}-${look}`);
      for (const finding of await seriousFindings(page)) found.push(`${name}: ${finding}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wider > 0) found.push(`${name}: ${wider} px wider`);
      const longer = await page.evaluate(() => {
        const bottom = window.scrollY + (document.querySelector("proven-app")?.getBoundingClientRect().bottom ?? 0);
        return document.documentElement.scrollHeight - Math.max(window.innerHeight, Math.ceil(bottom));
      });
      if (longer > 20) found.push(`${name}: ${longer} px of nothing below it`);
    });
    assert.deepEqual(found, []);
  });

  test(`${look}: axe finds nothing serious in the windows above a page, while it is arranged, and where one signs in`, async () => {
    const found: string[] = [];
    const { page, close } = await visit(browser, await startHub(), options);
    const check = async (name: string) => {
      await keepShot(page, `${name}-${look}`);
      for (const finding of await seriousFindings(page)) found.push(`${name}: ${finding}`);
    };
    await page.locator("proven-answers").waitFor();
    await page.keyboard.press("/");
    await page.getByRole("dialog", { name: "Search" }).waitFor();
    await page.keyboard.type("web");
    await page.getByRole("dialog").getByRole("option").first().waitFor();
    await check("search");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await check("shortcuts");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Arrange this page" }).click();
    await check("arranging");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    await check("sign-in");
    assert.deepEqual(found, []);
    await close();
  });
}

/** Pages on which nothing has a name that somebody gave it. */
const namesNothing = new Set(["browser", "reports"]);

test("markup in names, tags, pools, notes, task states, alerts, events and rules stays text on every page", async () => {
  const hub = await startHub({ hostile });
  const silent: string[] = [];
  const complaints = await onEveryPage({ hub }, async (page, name) => {
    const shown = page.getByText("onerror=").first();
    // What an answer brings may come after the page.
    if (!namesNothing.has(name)) await shown.waitFor({ state: "attached" }).catch(() => silent.push(name));
    assert.equal(await page.locator("img").count(), 0, name);
    assert.equal(await page.locator("proven-app script").count(), 0, name);
    assert.match(await page.title(), /Proven$/, name);
  });
  assert.deepEqual(silent, [], "pages that show nothing of it prove nothing");
  assert.deepEqual(
    complaints.filter((line) => !line.startsWith("Failed to load resource")),
    [],
  );
});

test("markup in what is searched and found stays text", async () => {
  const { page, close } = await visit(browser, await startHub({ hostile }));
  await page.locator("proven-answers").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("onerror");
  await page.getByRole("dialog").getByRole("option").filter({ hasText: "<img src=x" }).first().waitFor();
  assert.equal(await page.locator("img").count(), 0);
  assert.match(await page.title(), /Proven$/);
  await close();
});
