import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { Browser, Page, Worker } from "playwright-core";
import type { Receiver } from "#protocol/notifications.ts";
import { launchBrowser, untilSo, visit } from "../support/browser.ts";
import { type FakeHub, type FakeHubOptions, panelFiles, startFakeHub } from "../support/fake-hub.ts";
import { MessageServer } from "../support/message-server.ts";
import { common, notificationOf } from "../support/notifications.ts";
import { PushBrowser } from "../support/push-browser.ts";
import { testSender } from "../support/senders.ts";

let browser: Browser;
let files: Map<string, Uint8Array>;

before(async () => {
  [browser, files] = await Promise.all([launchBrowser(), panelFiles()]);
});
after(async () => {
  await browser.close();
});

async function startHub(t: TestContext, options: Partial<FakeHubOptions> = {}): Promise<FakeHub> {
  const hub = await startFakeHub({ files, everyMs: 60_000, ...options });
  t.after(() => hub.close());
  return hub;
}

/** The service worker rules the page, and has all its files. */
const workerRules = (page: Page) => page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");

/** A state of now is kept. The page's database is not opened before the page did: to open one is to make it. */
const stateKept = (page: Page) =>
  untilSo(page, async () => {
    const made = await indexedDB.databases();
    if (!made.some(({ name }) => name === "proven")) return false;
    const opened = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("proven");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    if (!opened.objectStoreNames.contains("last-state")) return false;
    const found = await new Promise<unknown>((resolve, reject) => {
      const request = opened.transaction("last-state").objectStore("last-state").get("newest");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    opened.close();
    return found !== undefined;
  });

test("without a hub the page shows the last state and its age, nothing of it as live; it goes live again by itself", async (t) => {
  const hub = await startHub(t);
  const { page, close } = await visit(browser, hub);
  await page.getByRole("heading", { name: "Everything that reports is fine" }).waitFor();
  await workerRules(page);
  await stateKept(page);
  const port = Number(new URL(hub.url).port);
  await hub.close();

  await page.reload();
  await page.getByRole("heading", { name: /^Not known now; \d+ (s|min) ago: Everything that reports is fine$/ }).waitFor();
  await page.getByText("The live stream is lost: this is not live.").waitFor();
  await page.getByText(/What you see is \d+ (s|min) old/).waitFor();
  await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).waitFor();
  assert.equal(await page.getByText("live", { exact: true }).count(), 0);
  const colours = await page.locator("proven-nodes .ok").evaluateAll((all) => all.map((one) => getComputedStyle(one).color));
  const dim = await page.locator("proven-nodes h2 .dim").evaluate((one) => getComputedStyle(one).color);
  assert.deepEqual([...new Set(colours)], [dim]);
  await page.keyboard.type("gg");
  await page.locator("proven-guest-list").getByRole("link", { name: "102 mail01" }).waitFor();

  const sessions = (await page.context().cookies()).filter(({ name }) => name === "proven_session").map(({ value }) => value);
  const back = await startFakeHub({ files, everyMs: 60_000, port, sessions });
  t.after(() => back.close());
  await page.getByText("live", { exact: true }).waitFor({ timeout: 20_000 });
  assert.equal(await page.locator("proven-lost").count(), 0);
  await close();
});

test("what is kept goes when its user signs out: the next one without a hub sees nothing of it", async (t) => {
  const hub = await startHub(t);
  const { page, close } = await visit(browser, hub);
  await page.locator("proven-guests").getByRole("link", { name: "102 mail01" }).waitFor();
  await workerRules(page);
  await stateKept(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").waitFor();
  await hub.close();
  await page.reload();
  await page.getByRole("heading", { name: "The hub can't be asked" }).waitFor();
  assert.equal(await page.getByText("mail01").count(), 0);
  await close();
});

test("the page can be installed: Chromium finds nothing that is missing", async (t) => {
  const { page, close } = await visit(browser, await startHub(t));
  await workerRules(page);
  const session = await page.context().newCDPSession(page);
  const { errors, url } = await session.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  assert.match(url, /\/manifest\.webmanifest$/);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  // A test's profile is an incognito one.
  assert.deepEqual(
    installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito"),
    [],
  );
  await close();
});

/** The browser's push service is beyond a test's reach: its part is played by a server here, the keys by the test. */
async function withPushService(page: Page, subscription: object): Promise<void> {
  await page.addInitScript(`
    const given = ${JSON.stringify(subscription)};
    const unsubscribe = async () => { sessionStorage.removeItem("subscribed"); return true; };
    const standIn = { ...given, toJSON: () => given, unsubscribe };
    PushManager.prototype.getSubscription = async () => (sessionStorage.getItem("subscribed") === null ? null : standIn);
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
      sessionStorage.setItem("subscribed", applicationServerKey);
      return standIn;
    };`);
}

const receiver: Receiver = { ...common, type: "web-push" };
type Shown = { title: string; body: string; actions: string[]; isPersistent: boolean };
const shown = (worker: Worker) =>
  worker.evaluate(async () => {
    const { registration } = globalThis as unknown as { registration: ServiceWorkerRegistration };
    const all = (await registration.getNotifications()) as (Notification & { actions: { title: string }[] })[];
    return all.map(({ title, body, actions, requireInteraction }): Shown => {
      return { title, body, actions: actions.map((one) => one.title), isPersistent: requireInteraction };
    });
  });

test("a browser subscribes, reads what the hub's sender pushed, shows it with its buttons, and takes the alert by one", async (t) => {
  const hub = await startHub(t);
  const service = await MessageServer.start(t);
  service.usual = { status: 201 };
  const mine = new PushBrowser("mine", `${service.url}/push/mine`);
  const { page, complaints, close } = await visit(browser, hub, { path: "" });
  const context = page.context();
  await context.grantPermissions(["notifications"], { origin: hub.url });
  await withPushService(page, mine.subscription.subscription);
  await page.goto(`${hub.url}/#key=${hub.key}`);
  await page.reload();
  await page.getByRole("button", { name: "This browser: messages, app" }).click();
  await page.getByRole("button", { name: "Show messages in this browser" }).click();
  await page.getByText("This browser shows the hub's messages.").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("subscribed")), hub.push.vapid.publicKey);
  assert.deepEqual(
    hub.push.subscriptions().map(({ subscription }) => subscription),
    [mine.subscription.subscription],
  );

  const actions = [{ action: "acknowledge" as const, label: "Acknowledge", url: `${hub.url}/act/sealed` }];
  const { vapid, subscriptions } = hub.push;
  const { send } = testSender(t, {}, { vapid, subscriptions: async () => subscriptions(), actionsOf: () => actions });
  assert.equal((await send(notificationOf({ severity: "critical" }), receiver)).ok, true);
  const payload = JSON.stringify(mine.read(service.received[0]?.body ?? Buffer.alloc(0)));
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
  const shows = await countShown(worker);
  await deliver(page, hub.url, payload);
  await shows(page, 1);
  assert.deepEqual(await shown(worker), [
    {
      title: "WARNING: web (VM 100) uses 97 % of its CPU",
      body: "web (VM 100) on pve1 [warning]\nvalue 97 %, threshold 90 %\nsince 2026-01-05 11:55 UTC (5 min)",
      actions: ["Acknowledge"],
      isPersistent: true,
    },
  ]);

  await worker.evaluate(async () => {
    const scope = globalThis as unknown as { registration: ServiceWorkerRegistration };
    const [notification] = await scope.registration.getNotifications();
    const Click = (globalThis as unknown as { NotificationEvent: new (type: string, init: object) => Event }).NotificationEvent;
    dispatchEvent(new Click("notificationclick", { notification, action: "acknowledge" }));
  });
  await shows(page, 2);
  assert.deepEqual(
    (await shown(worker)).map(({ title }) => title),
    ["Acknowledged"],
  );
  assert.deepEqual(hub.push.acted, ["sealed"]);

  await page.getByRole("button", { name: "No more messages here" }).click();
  await page.getByRole("button", { name: "Show messages in this browser" }).waitFor();
  assert.deepEqual(hub.push.subscriptions(), []);
  // The first answer is that nobody is signed in yet.
  assert.deepEqual(
    complaints.filter((line) => !line.includes("401")),
    [],
  );
  await close();
});

test("a message that can't be read is shown as one, with nothing of it as markup", async (t) => {
  const hub = await startHub(t);
  const { page, close } = await visit(browser, hub);
  const context = page.context();
  await context.grantPermissions(["notifications"], { origin: hub.url });
  await workerRules(page);
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
  const shows = await countShown(worker);
  await deliver(page, hub.url, "<b>no json</b>");
  await shows(page, 1);
  assert.deepEqual(
    (await shown(worker)).map(({ title }) => title),
    ["A message that can't be read"],
  );
  await close();
});

/** Hands the worker what the browser would have got from its push service, decrypted. */
async function deliver(page: Page, origin: string, data: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const registered = new Promise<string>((resolve) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const own = registrations.find(({ scopeURL, isDeleted }) => scopeURL.startsWith(origin) && !isDeleted);
      if (own !== undefined) resolve(own.registrationId);
    });
  });
  await session.send("ServiceWorker.enable");
  const registrationId = await registered;
  await session.send("ServiceWorker.deliverPushMessage", { origin: `${origin}/`, registrationId, data });
}

/**
 * Waits until the worker has shown so many notifications. Nobody asks for them meanwhile: whoever does while Chromium is about to show one takes it
 * away, as what is stored and not yet on the screen counts as closed.
 */
async function countShown(worker: Worker): Promise<(page: Page, count: number) => Promise<void>> {
  await worker.evaluate(() => {
    const scope = globalThis as unknown as { registration: ServiceWorkerRegistration; shownSoFar: number };
    const { registration } = scope;
    const show = registration.showNotification.bind(registration);
    scope.shownSoFar = 0;
    registration.showNotification = async (...what) => {
      await show(...what);
      scope.shownSoFar++;
    };
  });
  const soFar = () => worker.evaluate(() => (globalThis as unknown as { shownSoFar: number }).shownSoFar);
  return async (page, count) => {
    const end = Date.now() + 30_000;
    while ((await soFar()) < count) {
      assert.ok(Date.now() < end, `after 30 s not ${count} were shown`);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
  };
}
