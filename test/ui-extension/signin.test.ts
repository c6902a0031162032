import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { launchBrowser, visit } from "../support/browser.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

let browser: Browser;
let hub: FakeHub;
before(async () => {
  const [launched, files] = await Promise.all([launchBrowser(), panelFiles()]);
  browser = launched;
  hub = await startFakeHub({ files, accounts: true });
});
after(async () => {
  await browser.close();
  await hub.close();
});

/** What browsers themselves say of a 401. */
const unexpected = (complaints: readonly string[]) => complaints.filter((one) => !one.includes("401"));

test("one signs in with a Proxmox VE account: a wrong password is refused with the reason, the right one opens the panel", async () => {
  const { page, complaints, close } = await visit(browser, hub, { path: "" });
  const account = page.getByRole("form", { name: "Account of Proxmox VE" });
  await account.getByLabel("User name").fill("carol");
  await account.getByLabel("Password").fill("wrong");
  assert.equal(await account.getByLabel("Realm").inputValue(), "pam", "the realm Proxmox VE chooses first");
  await account.getByLabel("Realm").selectOption("pve");
  await account.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").getByText("This login was refused: Proxmox VE refused the user, password or code").waitFor();
  await account.getByLabel("Password").fill("right");
  await account.getByLabel("Password").press("Enter");
  await page.getByRole("heading", { level: 1 }).or(page.locator("proven-overview")).first().waitFor();
  assert.equal(await page.locator("proven-signin").count(), 0);
  assert.deepEqual(unexpected(complaints), []);
  await close();
});

test("a second factor is asked for, and after a wrong code one begins again", async () => {
  const { page, complaints, close } = await visit(browser, hub, { path: "" });
  const first = async () => {
    const account = page.getByRole("form", { name: "Account of Proxmox VE" });
    await account.getByLabel("User name").fill("root");
    await account.getByLabel("Password").fill("right");
    await account.getByRole("button", { name: "Log in" }).click();
  };
  const second = async (code: string) => {
    const form = page.getByRole("form", { name: "Second factor" });
    await form.getByLabel("Code", { exact: true }).fill(code);
    await form.getByRole("button", { name: "Log in" }).click();
  };
  await first();
  await second("000000");
  await page.getByRole("alert").waitFor();
  await first();
  await second("123456");
  await page.locator("proven-overview").first().waitFor();
  assert.deepEqual(unexpected(complaints), []);
  await close();
});
