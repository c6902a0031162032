import { type Browser, chromium, type Page } from "playwright-core";
import type { FakeHub } from "./fake-hub.ts";

/** Headless Chromium as Debian installs it. */
export function launchBrowser(): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
  return chromium.launch({ executablePath: "/usr/bin/chromium", args });
}

export type Visit = {
  page: Page;
  /** Errors and warnings of the console, uncaught exceptions, and requests to anywhere but the hub. */
  complaints: string[];
  close(): Promise<void>;
};

export type VisitOptions = { path?: string; dark?: boolean; width?: number; height?: number; locale?: string };

/** Opens the panel in a fresh browser profile; the default path signs in as `npm start`'s link does. */
export async function visit(browser: Browser, hub: FakeHub, options: VisitOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1366, height: options.height ?? 768 },
    colorScheme: options.dark === true ? "dark" : "light",
    locale: options.locale ?? "en-GB",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(hub.url)) complaints.push(`request to ${request.url()}`);
  });
  await page.goto(`${hub.url}/${options.path ?? `#key=${hub.key}`}`);
  return { page, complaints, close: () => context.close() };
}
