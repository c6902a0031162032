import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, visit } from "../support/browser.ts";
import { fakeAlerts } from "../support/fake-alerts.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

/** Pictures are kept where `PROVEN_SHOTS` says. */
const shots = process.env.PROVEN_SHOTS;
let browser: Browser;
let hub: FakeHub;

before(async () => {
  const [launched, files] = await Promise.all([launchBrowser(), panelFiles()]);
  browser = launched;
  hub = await startFakeHub({ files, silent: 1, trouble: true, alerting: true, everyMs: 60_000, scopes: ["read", "write"] });
});
after(async () => {
  await browser.close();
  await hub.close();
});

async function open(
  path: string,
  ready: string,
  look: { dark?: boolean; width?: number; height?: number; locale?: string } = {},
) {
  const visited = await visit(browser, hub, look);
  await visited.page.getByRole("navigation").first().waitFor();
  await visited.page.evaluate((hash) => location.assign(hash), path);
  await visited.page.locator(ready).first().waitFor();
  return visited;
}

const lastWrite = () => {
  const { method, path, body } = hub.writes.at(-1) ?? { method: "", path: "", body: undefined };
  return { method, path: decodeURIComponent(path), body: body as Record<string, unknown> | undefined };
};

test("a maintenance window is changed in place, and one that is open is made longer by the keyboard alone", async () => {
  const { page, complaints, close } = await open("#/silences", "proven-silences li");
  await page.getByRole("link", { name: "Edit Patch night" }).focus();
  await page.keyboard.press("Enter");
  const form = page.getByRole("region", { name: "Change the window Patch night" });
  assert.equal(await form.getByLabel(/Calendar event/).inputValue(), "sat 02:00");
  assert.equal(await form.getByRole("spinbutton", { name: /Lasts/ }).inputValue(), "2");
  await form.getByLabel(/Comment/).fill("kernel");
  await page.keyboard.press("Enter");
  await form.waitFor({ state: "detached" });
  const { method, path, body } = lastWrite();
  assert.deepEqual([method, path, body?.comment, body?.id], ["PUT", "/api/v1/windows/patch", "kernel", "patch"]);
  assert.deepEqual(complaints, []);
  await close();
});

test("what ends a silence names the silence", async () => {
  const { page, close } = await open("#/silences", "proven-silences li");
  const silences = page.getByRole("region", { name: "Silences" }).getByRole("listitem");
  const [name] = await silences.locator(".name").allInnerTexts();
  assert.ok(name);
  await silences
    .first()
    .getByRole("button", { name: `End now ${name}`, exact: true })
    .waitFor();
  await close();
});

test("in Italian a window that opened by itself says why in Italian", async () => {
  const { page, close } = await open("#/silences", "proven-silences li", { locale: "it-IT" });
  await page.getByText("pve2 è appena stato aggiornato").waitFor();
  await close();
});

test("in Italian a mark's word ends before the alert's sentence begins", async () => {
  const { page, close } = await open("#/alerts", "proven-alert-row article", { locale: "it-IT" });
  const [alert] = fakeAlerts(Date.now());
  assert.ok(alert);
  await hub.send("alerts", [{ ...alert, id: "told", severity: "info" }]);
  await page.locator("proven-alert-row").getByText("informazione").waitFor();
  const overlap = await page.locator("proven-alert-row .mark").evaluateAll((marks) => {
    const range = document.createRange();
    return marks.map((mark) => {
      range.selectNodeContents(mark);
      return range.getBoundingClientRect().right - mark.getBoundingClientRect().right;
    });
  });
  assert.ok(overlap.length > 0);
  assert.deepEqual(
    overlap.filter((by) => by > 0),
    [],
  );
  await close();
});

test("a template is tried while one types; a misspelt placeholder is named, and one is put in by its button", async () => {
  const { page, complaints, close } = await open("#/routes", "proven-routes li");
  const team = page.getByRole("region", { name: "Receivers" }).getByRole("listitem").filter({ hasText: "Team chat" });
  await team.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("button", { name: "Write another one" }).click();
  await page.getByLabel("Preview").filter({ hasText: "Storage nearly full: storage tank is at 97 %" }).waitFor();
  await page.getByLabel("Text below the first line").fill("{verdictt}");
  await page.getByText("unknown placeholder {verdictt}").waitFor();
  await page.getByLabel("Text below the first line").fill("Now: ");
  await page.getByRole("button", { name: "Put in severity" }).first().click();
  await page.getByLabel("Preview").filter({ hasText: "Now: critical" }).waitFor();
  await page.getByRole("checkbox", { name: /links to acknowledge/ }).uncheck();
  await page.route("**/api/v1/receivers/team", (route) => route.fulfill({ status: 200, json: {} }));
  const saving = page.waitForRequest("**/api/v1/receivers/team");
  await page.getByRole("button", { name: "Save" }).click();
  const { receiver } = (await saving).postDataJSON() as { receiver: Record<string, unknown> };
  assert.deepEqual([receiver.template, receiver.actions], ["Now: {severity}", false]);
  assert.deepEqual(complaints, []);
  await close();
});

test("what is typed into a receiver or a route stays while the page's clock goes on", async () => {
  const { page, close } = await open("#/routes", "proven-routes li");
  const ticks = (page: Page) =>
    page.evaluate(async () => {
      const app = document.querySelector("proven-app") as unknown as { panel: { now: { subscribe(f: () => void): () => void } } };
      for (let tick = 0; tick < 2; tick++) await new Promise<void>((resolve) => app.panel.now.subscribe(resolve));
    });
  for (const [what, edited] of [["Routes", "Warnings and worse"] as const, ["Receivers", "Team chat"] as const]) {
    const region = page.getByRole("region", { name: what });
    await region.getByRole("listitem").filter({ hasText: edited }).getByRole("button", { name: "Edit" }).click();
    await region.getByLabel(/^Name/).fill("Typed by hand");
    await ticks(page);
    assert.equal(await region.getByLabel(/^Name/).inputValue(), "Typed by hand");
  }
  await close();
});

test("the log of deliveries shows each attempt with its answer; what is dead is sent again; a test opens its own", async () => {
  const { page, complaints, close } = await open("#/routes", "proven-deliveries li");
  const log = page.getByRole("region", { name: "Log of deliveries" });
  await log.getByRole("button", { name: /3 attempts/ }).click();
  await log.getByRole("list", { name: "Attempts" }).getByText("no answer within 20000 ms").waitFor();
  await log.getByText("the next attempt").waitFor();
  await log.getByRole("button", { name: "Send again" }).click();
  await log.getByText("It is on its way again.").waitFor();
  assert.equal(lastWrite().path, "/api/v1/deliveries/n-1/replay");
  await log.getByLabel("State").selectOption("delivered");
  await log.getByRole("button", { name: /Journal and hooks of the nodes .*\(1 attempt\)/ }).waitFor();
  await log.getByLabel("State").selectOption("");
  const team = page.getByRole("region", { name: "Receivers" }).getByRole("listitem").filter({ hasText: "Team chat" });
  await team.getByRole("button", { name: "Send test" }).click();
  const opened = log
    .getByRole("listitem")
    .filter({ has: page.getByRole("button", { name: /TEST: Proven can reach/, expanded: true }) });
  await opened.getByRole("list", { name: "Attempts" }).getByText("HTTP 503: try again later").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("an alert is taken with a comment, typed and sent without a mouse", async () => {
  const { page, complaints, close } = await open("#/alerts", "proven-alert-row article");
  const nfs = page.getByRole("article", { name: "Storage nfs1 is 91 % full" });
  await nfs.getByRole("button", { name: "With a comment …" }).focus();
  await page.keyboard.press("Enter");
  await nfs.getByLabel("Comment (others read it)").waitFor();
  await page.keyboard.type("cleaning up");
  await page.keyboard.press("Enter");
  await nfs.getByText("You took it").waitFor();
  assert.deepEqual(lastWrite().body, { note: "cleaning up" });
  assert.deepEqual(complaints, []);
  await close();
});

test("why a rule did not fire is one click away from the guest and from the rule", async () => {
  const { page, complaints, close } = await open("#/guest/100", "proven-why-links summary");
  await page.getByText("Why did, or didn't, a rule fire here?").click();
  const links = page.locator("proven-why-links li a");
  await links.first().waitFor();
  assert.ok((await links.count()) > 3);
  await links.first().click();
  await page.getByText("What was decided").waitFor();
  assert.match(decodeURIComponent(page.url()), /#\/alerts\/[a-z-]+@0123456789abcdef\/guest\/100#1$/);
  await page.evaluate(() => location.assign("#/rules/node-cpu"));
  await page.getByText("Why did, or didn't, it fire for …?").click();
  await page.locator("proven-why-links").getByRole("link", { name: "pve2" }).click();
  await page.getByText("What was decided").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a filter that finds nothing near goes on by itself through what the hub looks at in parts", async () => {
  const { page, close } = await open("#/events", "proven-event-log li");
  let asked = 0;
  await page.route("**/api/v1/events?*", async (route) => {
    asked++;
    const items = asked < 4 ? [] : (await (await route.fetch()).json()).items.slice(0, 1);
    await route.fulfill({ status: 200, json: { items, next: asked < 4 ? 1000 - asked : null } });
  });
  await page.getByLabel("Entity").fill("guest/100");
  await page.waitForFunction(() => {
    const log = document.querySelector("proven-app")?.shadowRoot?.querySelector("proven-event-log");
    return log?.shadowRoot?.querySelectorAll("ol li").length === 1;
  });
  assert.equal(asked, 4);
  await close();
});

const looks: [name: string, look: { dark?: boolean; width?: number; height?: number; locale?: string }][] = [
  ["light", {}],
  ["dark", { dark: true }],
  ["phone", { width: 360, height: 740 }],
  ["italian", { locale: "it-IT" }],
];
for (const [name, look] of looks) {
  test(`pages that were edited fit their width and can be looked at, ${name}`, async () => {
    const { page, close } = await open("#/silences/edit=patch", "proven-window-form form", look);
    await look2(page, `window-${name}`);
    await page.evaluate(() => location.assign("#/alerts"));
    await page.locator("proven-alert-row article").first().waitFor();
    await page.locator("proven-alert-row button[aria-expanded]").first().click();
    await look2(page, `alerts-${name}`);
    await page.evaluate(() => location.assign("#/guest/100"));
    await page.locator("proven-why-links summary").click();
    await page.locator("proven-why-links li a").first().waitFor();
    await look2(page, `guest-${name}`);
    await page.evaluate(() => location.assign("#/routes"));
    await page.locator("proven-deliveries li button[aria-expanded]").nth(1).click();
    await page.locator("proven-routes section:nth-of-type(2) li").nth(1).locator("button").nth(1).click();
    await page.locator("proven-template button").click();
    await page.locator("proven-template pre", { hasText: "storage tank" }).waitFor();
    await look2(page, `routes-${name}`);
    await close();
  });
}

async function look2(page: Page, name: string): Promise<void> {
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0, name);
  if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}
