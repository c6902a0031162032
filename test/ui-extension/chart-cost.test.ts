import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { launchBrowser, visit } from "../support/browser.ts";
import { type FakeHub, panelFiles, startFakeHub } from "../support/fake-hub.ts";

let browser: Browser;
let hub: FakeHub;
before(async () => {
  const files = await panelFiles();
  [browser, hub] = await Promise.all([launchBrowser(), startFakeHub({ files, everyMs: 600_000 })]);
});
after(async () => {
  await browser.close();
  await hub.close();
});

const charts = 100;
const rounds = 30;

test("a hundred live charts: each sample draws those in sight, and no other", async (t) => {
  const { page, close } = await visit(browser, hub);
  await page.getByText("live", { exact: true }).waitFor();
  await page.evaluate(() => {
    history.pushState(null, "", "#/node/pve1");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await page.locator("proven-chart[data-chart=cpu] canvas").waitFor();
  await page.evaluate((count) => {
    type Spec = { id: string };
    const element = document
      .querySelector("proven-app")
      ?.shadowRoot?.querySelector("proven-node")
      ?.shadowRoot?.querySelector("proven-charts") as unknown as { charts: Spec[] };
    const cpu = element.charts.filter(({ id }) => id === "cpu");
    const many = Array.from({ length: count }, (_, index) => cpu.map((spec) => ({ ...spec, id: `cpu${index}` }))).flat();
    element.charts = many;
    // The page sets its own charts whenever it learns something of the node.
    Object.defineProperty(element, "charts", {
      get() {
        return many;
      },
      set() {},
    });
  }, charts);
  await page.locator(`proven-chart[data-chart=cpu${charts - 1}]`).waitFor();
  assert.equal(await page.locator("proven-chart").count(), charts);
  await page.locator("proven-chart[data-chart=cpu0] canvas").waitFor();

  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const busySec = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0;
  };
  const before = await busySec();
  const drawn = await page.evaluate(async (count) => {
    const { panel } = document.querySelector("proven-app") as unknown as {
      panel: { store: { picture: { value: { nodes: { cpu: object }[] } }; receive(kind: string, data: object[]): void } };
    };
    let strokes = 0;
    const { stroke } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.stroke = function (this: CanvasRenderingContext2D, path?: Path2D) {
      strokes++;
      Reflect.apply(stroke, this, path === undefined ? [] : [path]);
    };
    for (let round = 1; round <= count; round++) {
      const [node, ...rest] = panel.store.picture.value.nodes;
      panel.store.receive("nodes", [
        { ...node, cpu: { state: "fresh", value: 0.3 + (round % 7) / 20, at: Date.now() + round } },
        ...rest,
      ]);
      await new Promise((settle) => requestAnimationFrame(() => requestAnimationFrame(settle)));
    }
    CanvasRenderingContext2D.prototype.stroke = stroke;
    return strokes / count;
  }, rounds);
  const perSampleMs = (((await busySec()) - before) / rounds) * 1000;
  t.diagnostic(
    `${charts} charts: ${perSampleMs.toFixed(1)} ms of the browser's main thread per sample, ${(perSampleMs / 100).toFixed(2)} % of a core at one in 10 s`,
  );
  const inSight = await page.locator("proven-chart canvas").count();
  assert.ok(inSight < charts / 3, `${inSight} charts are drawn`);
  assert.ok(drawn > 0 && drawn < charts, `${drawn} strokes per sample`);
  await close();
});
