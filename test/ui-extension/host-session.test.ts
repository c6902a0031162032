import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { ShellSuite } from "../support/pve-shell/shell-suite.ts";

const shells = new ShellSuite();
const { skip } = shells;

const themeOf = (page: Page) => page.locator("proven-app").getAttribute("theme");
const becomes = (page: Page, theme: string) => page.locator(`proven-app[theme="${theme}"]`).waitFor();

test("PVE's theme is followed while the tab is open: auto with the system, dark and light with its sheet", { skip }, async () => {
  const world = await shells.startWorld();
  const { page, complaints, tab, close } = await world.visit(shells.browser);
  await tab("Proven");
  await page.locator("proven-verdict").waitFor();
  assert.equal(await themeOf(page), "light");
  await page.emulateMedia({ colorScheme: "dark" });
  await becomes(page, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await becomes(page, "light");
  await page.evaluate(() => {
    for (const link of document.querySelectorAll('link[href*="proxmox-dark"]')) link.removeAttribute("media");
  });
  await becomes(page, "dark");
  await page.evaluate(() => {
    for (const link of document.querySelectorAll('link[href*="proxmox-dark"]')) link.remove();
  });
  await becomes(page, "light");
  assert.deepEqual(complaints, []);
  await close();

  const light = await world.visit(shells.browser, { dark: true, cookies: { PVEThemeCookie: "crisp" } });
  await light.tab("Proven");
  await becomes(light.page, "light");
  await light.close();
  const dark = await world.visit(shells.browser, { cookies: { PVEThemeCookie: "proxmox-dark" } });
  await dark.tab("Proven");
  await becomes(dark.page, "dark");
  await dark.close();
});

test("PVE's language is followed: on the strip, in the tab, and live when its cookie changes", { skip }, async () => {
  const world = await shells.startWorld();
  const { page, complaints, choose, tab, close } = await world.visit(shells.browser, { cookies: { PVELangCookie: "it" } });
  await choose("101 (db01)");
  await page.locator(".proven-strip").getByText("Proven: Nessuna prova di ripristino finora · nessun allarme aperto").waitFor();
  await tab("Proven");
  await page
    .locator("proven-app")
    .getByRole("link", { name: "Allarmi" })
    .or(page.locator("proven-app").getByRole("button", { name: "Allarmi" }))
    .waitFor();
  await page.context().addCookies([{ name: "PVELangCookie", value: "en", url: page.url() }]);
  await page.locator('proven-app[lang="en"]').waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("logging out ends streams and leaves nothing of what was shown; the next user sees his own world", { skip }, async () => {
  const world = await shells.startWorld();
  const { page, choose, tab, close } = await world.visit(shells.browser, { ownClock: true });
  await choose("101 (db01)");
  await page.locator(".proven-strip").getByText("No restore proof yet").waitFor();
  await tab("Proven");
  await page.locator("proven-app").getByRole("heading", { name: "101 db01" }).waitFor();
  assert.equal(world.gateway.streams(), 1);
  await page.getByRole("button", { name: "Logout" }).click();
  await page.locator("proven-app").waitFor({ state: "detached" });
  await page.clock.fastForward(2000);
  assert.equal(world.gateway.streams(), 0);
  assert.equal(await page.locator("#proven-shields").evaluate((sheet) => sheet.textContent), "");
  assert.equal(await page.getByText("db01").count(), 0);
  const asked = world.gateway.requests.length;
  await page.clock.fastForward(120_000);
  assert.equal(world.gateway.requests.length, asked);

  await page.getByLabel("User name").fill("alice@pve");
  await page.getByLabel("Password").fill("secret");
  await page.getByRole("button", { name: "Login" }).click();
  await choose("101 (db01)");
  await tab("Summary"); // the tab of the last visit is chosen again
  await page.clock.fastForward(2000);
  await page.locator(".proven-strip").getByText("No restore proof yet").waitFor();
  assert.ok(world.gateway.requests.length > asked);
  await close();
});

test("a ticket that counts no longer blanks the tab with 401, and signing in again goes on by itself", { skip }, async () => {
  const world = await shells.startWorld();
  const { page, choose, tab, close } = await world.visit(shells.browser);
  await choose("101 (db01)");
  await tab("Proven");
  await page.locator("proven-app").getByRole("heading", { name: "101 db01" }).waitFor();
  world.pve.endSessions();
  world.hub.dropStreams(false);
  await page.locator("proven-app").getByRole("heading", { name: "Not signed in to Proxmox VE" }).waitFor();
  assert.equal(await page.locator("proven-app").getByText("db01").count(), 0);
  assert.equal(world.gateway.streams(), 0);
  const login = await world.pve.login("root@pam", "secret");
  await page.evaluate((data) => {
    const { Proxmox } = window as unknown as { Proxmox: { Utils: { setAuthData(data: unknown): void } } };
    Proxmox.Utils.setAuthData({ ...data, CSRFPreventionToken: "CSRF:renewed" });
  }, login);
  await page.locator("proven-app").getByRole("heading", { name: "101 db01" }).waitFor();
  await close();
});

test("a gateway that can't be reached gives one page with one link, and trying again shows the panel", { skip }, async () => {
  const world = await shells.startWorld();
  const { page, choose, tab, tabs, close } = await world.visit(shells.browser);
  await choose("101 (db01)");
  await page.context().route(`${world.gateway.url}/**`, (route) => route.abort("connectionrefused"));
  await tab("Proven");
  await page.getByRole("heading", { name: "Proven's gateway on this node can't be reached" }).waitFor();
  const links = page.locator("h2 ~ a");
  assert.deepEqual(await links.evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href)), [
    `${world.gateway.url}/`,
  ]);
  assert.deepEqual(await tabs(), ["Summary", "Proven", "Console", "Hardware", "Backup", "Permissions"]);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Proven's gateway on this node can't be reached" }).waitFor();
  await page.context().unroute(`${world.gateway.url}/**`);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("proven-app").getByRole("heading", { name: "101 db01" }).waitFor();
  await close();
});

test("switched off on the node: the tab says so, and there are no marks", { skip }, async () => {
  const world = await shells.startWorld();
  world.gateway.disabled = true;
  const { page, choose, tab, close } = await world.visit(shells.browser);
  await choose("101 (db01)");
  await tab("Proven");
  await page.getByText("Proven is switched off on this node (/etc/proven/ui-disabled).").waitFor();
  assert.equal(await page.locator(".proven-strip, #proven-shields, proven-app").count(), 0);
  await close();
});

test("?proven=0 leaves the page without us: no tab, no marks, no request", { skip }, async () => {
  const world = await shells.startWorld();
  const asked: string[] = [];
  const { page, complaints, choose, tabs, close } = await world.visit(shells.browser, { path: "?proven=0" });
  page.on("request", (request) => asked.push(request.url()));
  await choose("101 (db01)");
  assert.deepEqual(await tabs(), ["Summary", "Console", "Hardware", "Backup", "Permissions"]);
  assert.equal(await page.locator(".proven-strip, #proven-shields").count(), 0);
  assert.deepEqual(
    asked.filter((url) => url.startsWith(world.gateway.url)),
    [],
  );
  assert.deepEqual(complaints, []);
  await close();
});
