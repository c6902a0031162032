import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Locator } from "playwright-core";
import type { Health } from "#protocol/api.ts";
import { coloursDrawn, launchBrowser, visit } from "../support/browser.ts";
import { freePort } from "../support/system.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** `npm start -- …` as a user types it, in a process group of its own, which ends with the test at the latest. */
function npmStart(context: TestContext, ...args: string[]) {
  const child = spawn("npm", ["start", "--", ...args], { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      for (const listener of heard) listener();
    });
  }
  const exit = once(child, "close").then(([code]) => code as number | null);
  context.after(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), "SIGINT");
    await exit;
  });
  const said = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (pattern.test(output)) resolve();
      };
      heard.add(look);
      look();
      void exit.then((code) => reject(new Error(`ended with ${code}: ${output}`)));
    });
  return { child, exit, said, output: () => output };
}

function getHealth(port: number, key: string): Promise<Health> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    request(`https://127.0.0.1:${port}/api/v1/health`, { headers, rejectUnauthorized: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(JSON.parse(text)));
    })
      .on("error", reject)
      .end();
  });
}

/** Command lines of all processes that name `path`. */
function processesOf(path: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return command.includes(path) ? [command] : [];
      } catch {
        return []; // ended meanwhile
      }
    });
}

/** Overview → node → guest, as an admin clicks. Screenshots go to PROVEN_SHOTS when it is set. */
async function walkThrough(context: TestContext, hub: { url: string; key: string }): Promise<void> {
  // A service worker is fetched under a trusted certificate only.
  const browser = await launchBrowser("--ignore-certificate-errors");
  context.after(() => browser.close());
  const { page, complaints } = await visit(browser, hub);
  page.setDefaultTimeout(30_000);
  const shot = async (name: string) => {
    const { PROVEN_SHOTS } = process.env;
    if (PROVEN_SHOTS !== undefined)
      await page.screenshot({ path: join(PROVEN_SHOTS, `${name}.png`), fullPage: name !== "overview" });
  };
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).waitFor();
  await page.locator("proven-guests tbody tr[data-key]").first().waitFor();
  await shot("overview");
  await page.locator("proven-nodes").getByRole("link", { name: "pve1" }).click();
  const cpu = page.locator("proven-chart[data-chart=cpu]");
  for (const range of ["1h", "24h", "7d", "30d", "1y"]) {
    const answered = page.waitForResponse((response) => response.url().endsWith("/series/query"));
    await page.getByRole("button", { name: range, exact: true }).click();
    assert.equal((await answered).status(), 200, range);
    assert.ok(await isDrawn(cpu), `a line is drawn for ${range}`);
  }
  await page.getByRole("button", { name: "24h", exact: true }).click();
  await page.locator("proven-chart[data-chart=memory] canvas").first().waitFor();
  await shot("node");
  await page.locator("proven-guests").getByRole("link").first().click();
  await page.locator("proven-chart[data-chart=cpu] canvas").first().waitFor();
  await shot("guest");
  assert.deepEqual(complaints, []);
}

/** The line comes a moment after the answer. */
async function isDrawn(chart: Locator): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    if ((await coloursDrawn(chart)) > 8) return true;
    await chart.page().waitForTimeout(100);
  }
  return false;
}

describe("npm start", () => {
  const state = mkdtempSync(join(tmpdir(), "proven-start-"));
  after(() => rmSync(state, { recursive: true, force: true }));

  test("shows the whole system, writes a key that works, seeds a month, and leaves no process behind", async (context) => {
    const port = await freePort();
    const start = npmStart(context, "--base-port", String(port), "--state", state);
    await start.said(/Ctrl-C stops everything/);
    assert.match(start.output(), new RegExp(`https://127\\.0\\.0\\.1:${port}/#key=pvn_`));
    assert.match(start.output(), /seeded 30 days of history/);
    const keyPath = join(state, "api-key");
    assert.equal(statSync(keyPath).mode & 0o777, 0o600);
    const health = await getHealth(port, readFileSync(keyPath, "utf8").trim());
    assert.deepEqual([health.status, health.agents], ["ok", { connected: 3, total: 3 }]);
    await walkThrough(context, { url: `https://127.0.0.1:${port}`, key: readFileSync(keyPath, "utf8").trim() });
    process.kill(-(start.child.pid as number), "SIGINT");
    await start.exit;
    assert.match(start.output(), /stopped\n$/);
    assert.deepEqual(processesOf(state), []);
    assert.equal(existsSync(join(state, "pid")), false);
  });

  test("a busy port is an error that names the port and the option", async (context) => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const start = npmStart(context, "--base-port", String(port), "--state", join(state, "busy"));
    assert.notEqual(await start.exit, 0);
    holder.close();
    assert.match(start.output(), new RegExp(`port ${port} is in use: .*--base-port`));
  });
});
