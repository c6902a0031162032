import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, visit } from "../support/browser.ts";
import { panelFiles, startFakeHub } from "../support/fake-hub.ts";
import { extFiles } from "../support/pve-shell/ext.ts";
import { loaderText, type ShellWorld, shellFiles, startShellWorld } from "../support/pve-shell/shell-visit.ts";

const ext = extFiles();
const skip = ext.problem ?? false;
let browser: Browser;
let world: ShellWorld | undefined;

before(async () => {
  browser = await launchBrowser();
  if (skip !== false) return;
  const [loader, files] = await Promise.all([loaderText(), shellFiles()]);
  world = await startShellWorld({ ext: ext.dir ?? "", loader, files });
});
after(async () => {
  await browser.close();
  await world?.close();
});

/** Proxmox VE's own API, as far as the panel asks it: what the user holds, and what comes of telling a guest. */
async function pveAnswers(
  page: Page,
  privileges: readonly string[],
  status: number,
): Promise<{ method: string; path: string; csrf: string }[]> {
  const told: { method: string; path: string; csrf: string }[] = [];
  const held = Object.fromEntries(privileges.map((name) => [name, 1]));
  await page.route(/\/api2\/json\/access\/permissions/, (route) => {
    const path = new URL(route.request().url()).searchParams.get("path") ?? "";
    return route.fulfill({ json: { data: privileges.length === 0 ? {} : { [path]: held } } });
  });
  await page.route(/\/api2\/json\/nodes\/.*\/status\//, (route) => {
    const request = route.request();
    told.push({
      method: request.method(),
      path: new URL(request.url()).pathname,
      csrf: request.headers().csrfpreventiontoken ?? "",
    });
    return route.fulfill({ status, json: { data: status === 200 ? "UPID:pve2:0:0:0:qmshutdown:101:root@pam:" : null } });
  });
  return told;
}

test("inside Proxmox VE's page a guest is shut down after a yes, by Proxmox VE's own API with its user's token", {
  skip,
}, async () => {
  assert.ok(world);
  const { page, choose, tab, close } = await world.visit(browser);
  const told = await pveAnswers(page, ["VM.Audit", "VM.Console", "VM.PowerMgmt"], 200);
  await choose("101 (db01)");
  await tab("Proven");
  const acts = page.locator("proven-guest-actions");
  await acts.getByRole("link", { name: "Console of 101 db01 in Proxmox VE" }).waitFor();
  await acts.getByRole("button", { name: "Shut down" }).click();
  await acts.getByText("Shut down 101 db01?").waitFor();
  await acts.getByRole("button", { name: "No" }).click();
  assert.equal(told.length, 0);
  await acts.getByRole("button", { name: "Shut down" }).click();
  await page.keyboard.press("Enter");
  await acts.getByText("Proxmox VE does it: see the tasks.").waitFor();
  const [first] = told;
  assert.match(first?.path ?? "", /^\/api2\/json\/nodes\/pve\d\/qemu\/101\/status\/shutdown$/);
  assert.deepEqual([told.length, first?.method, first?.csrf], [1, "POST", "CSRF:root@pam"]);
  await close();
});

test("who may only look is offered nothing else; a refusal of Proxmox VE is told", { skip }, async () => {
  assert.ok(world);
  const auditor = await world.visit(browser);
  await pveAnswers(auditor.page, ["VM.Audit"], 403);
  await auditor.choose("101 (db01)");
  await auditor.tab("Proven");
  await auditor.page.locator("proven-app").getByRole("heading", { name: "101 db01" }).waitFor();
  assert.equal(await auditor.page.locator("proven-guest-actions").getByRole("button").count(), 0);
  assert.equal(await auditor.page.locator("proven-guest-actions").getByRole("link").count(), 0);
  await auditor.close();

  const { page, choose, tab, close } = await world.visit(browser);
  await pveAnswers(page, ["VM.PowerMgmt"], 500);
  await choose("101 (db01)");
  await tab("Proven");
  await page.locator("proven-guest-actions").getByRole("button", { name: "Reboot" }).click();
  await page.keyboard.press("Enter");
  await page
    .locator("proven-guest-actions")
    .getByText(/^Proxmox VE refused: /)
    .waitFor();
  await close();
});

test("on the hub's own page there is the console's link and no button: the hub can't act in Proxmox VE", async (t) => {
  const hub = await startFakeHub({ files: await panelFiles(), everyMs: 60_000 });
  t.after(() => hub.close());
  const { page, close } = await visit(browser, hub);
  await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).click();
  const acts = page.locator("proven-guest-actions");
  const link = acts.getByRole("link", { name: "Console of 102 mail01 in Proxmox VE" });
  assert.match((await link.getAttribute("href")) ?? "", /^https:\/\/192\.0\.2\.\d+:8006\/\?console=lxc&novnc=1&vmid=102&/);
  assert.equal(await link.getAttribute("rel"), "noopener");
  assert.equal(await acts.getByRole("button").count(), 0);
  await close();
});
