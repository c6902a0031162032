import { type Browser, chromium, type Locator, type Page } from "playwright-core";

/** Headless Chromium as Debian installs it. `more`: further flags. */
export function launchBrowser(...more: string[]): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", ...more];
  return chromium.launch({ executablePath: "/usr/bin/chromium", args });
}

export type Visit = {
  page: Page;
  /** Errors and warnings of the console, uncaught exceptions, and requests to anywhere but the hub. */
  complaints: string[];
  close(): Promise<void>;
};

export type VisitOptions = {
  path?: string;
  dark?: boolean;
  width?: number;
  height?: number;
  locale?: string;
  /** As where the browser doesn't trust the hub's certificate: files come from the hub each time. */
  noServiceWorker?: boolean;
};

/** Opens the panel in a fresh browser profile; the default path signs in as `npm start`'s link does. */
export async function visit(browser: Browser, hub: { url: string; key: string }, options: VisitOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1366, height: options.height ?? 768 },
    colorScheme: options.dark === true ? "dark" : "light",
    locale: options.locale ?? "en-GB",
    reducedMotion: "reduce",
    serviceWorkers: options.noServiceWorker === true ? "block" : "allow",
    ignoreHTTPSErrors: true, // a real hub shows its own certificate
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(hub.url)) complaints.push(`request to ${request.url()}`);
  });
  await page.goto(`${hub.url}/${options.path ?? `#key=${hub.key}`}`);
  const close = async () => {
    // An answer that a test was about to change when its page went is nobody's fault.
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  };
  return { page, complaints, close };
}

/** Asks the page until it says yes. `page.waitForFunction` takes the promise of an asynchronous question for a yes. */
export async function untilSo(page: Page, ask: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await page.evaluate(ask))) {
    if (Date.now() > end) throw new Error(`still no after 30 s: ${ask}`);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}

/** Colours on a chart's canvas; an empty one has one. */
export function coloursDrawn(chart: Locator): Promise<number> {
  return chart
    .locator("canvas")
    .first()
    .evaluate((canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) return 0;
      // A copy: reading the chart's own canvas again and again makes Chromium complain.
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
      if (copy === null) return 0;
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set<number>();
      for (let index = 0; index < data.length; index += 4)
        colours.add(((data[index] ?? 0) << 16) | ((data[index + 1] ?? 0) << 8) | (data[index + 2] ?? 0));
      return colours.size;
    });
}
