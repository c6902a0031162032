import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { bundleEmbedded } from "../../../scripts/panel-build.ts";
import { fakeCluster } from "../fake-cluster.ts";
import { type FakeHub, type FakeHubOptions, panelFiles, startFakeHub } from "../fake-hub.ts";
import { type ShellGateway, startShellGateway } from "./shell-gateway.ts";
import { FakePve, type Resource } from "./shell-pve.ts";
import { type Shell, type ShellOptions, startShell } from "./shell-server.ts";

const source = new URL("../../../ui-extension/", import.meta.url).pathname;

/** The loader as the build makes it; unminified for tests that change its text. */
export async function loaderText(minify = true): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${source}host.ts`],
    bundle: true,
    write: false,
    minify,
    format: "iife",
    target: "es2017",
    supported: { "dynamic-import": true },
    legalComments: "none",
  });
  return outputFiles[0]?.text ?? "";
}

/** The panel's files with those the loader fetches. */
export async function shellFiles(minify = true): Promise<Map<string, Uint8Array>> {
  const [own, embedded] = await Promise.all([panelFiles(), bundleEmbedded({ minify, sourcemap: false })]);
  return new Map([...own, ...embedded.files]);
}

/** What the fake hub knows, as `GET /cluster/resources` lists it. */
function resourcesOf(setup: { nodes: number; guests: number; firstName?: string }): Resource[] {
  const world = fakeCluster({ silent: 0, trouble: false, ...setup });
  const now = Date.now();
  return [
    ...world.nodes(now).map(({ node }) => ({ id: `node/${node}`, type: "node", node, status: "online" })),
    ...world
      .guests(now)
      .map(({ vmid, type, node, name, state }) => ({ id: `${type}/${vmid}`, type, node, vmid, name, status: state })),
    { id: "storage/pve1/local", type: "storage", node: "pve1", storage: "local", status: "available" },
  ];
}

export type ShellWorld = {
  hub: FakeHub;
  pve: FakePve;
  gateway: ShellGateway;
  shell: Shell;
  /** Opens the page in a profile of its own, signed in. */
  visit(browser: Browser, options?: VisitOptions): Promise<ShellVisit>;
  close(): Promise<void>;
};

export type VisitOptions = {
  user?: string;
  path?: string;
  dark?: boolean;
  cookies?: Record<string, string>;
  /** The page's clock is the test's. */
  ownClock?: boolean;
};

export type ShellVisit = {
  page: Page;
  /** Errors and warnings of the console, and uncaught exceptions. */
  complaints: string[];
  /** Chooses an object by its text in the tree. */
  choose(text: string | RegExp): Promise<void>;
  tab(name: string): Promise<void>;
  /** Texts of the tabs, from the top. */
  tabs(): Promise<string[]>;
  close(): Promise<void>;
};

export type WorldOptions = {
  ext: string;
  loader: string;
  files: Map<string, Uint8Array>;
  hub?: Partial<FakeHubOptions>;
  changeLibrary?: ShellOptions["changeLibrary"];
  visible?: (user: string, resource: Resource) => boolean;
};

/** Fake hub, gateway, Proxmox VE and page, each on a port of its own. */
export async function startShellWorld({
  ext,
  loader,
  files,
  hub: hubOptions = {},
  changeLibrary,
  visible,
}: WorldOptions): Promise<ShellWorld> {
  const setup = { nodes: 3, guests: 12, alerting: true, ...hubOptions };
  const hub = await startFakeHub({ files, ...setup });
  const pve = new FakePve(resourcesOf(setup), visible);
  let origin = "";
  const gateway = await startShellGateway({ hub, origin: () => origin, user: (ticket) => pve.userOf(ticket) });
  const shell = await startShell({ ext, loader, gateway: gateway.url, pve, ...(changeLibrary ? { changeLibrary } : {}) });
  origin = shell.url;
  return {
    hub,
    pve,
    gateway,
    shell,
    visit: (browser, options = {}) => visitShell(browser, { shell, pve }, options),
    async close() {
      await Promise.all([shell.close(), gateway.close(), hub.close()]);
    },
  };
}

async function visitShell(
  browser: Browser,
  { shell, pve }: { shell: Shell; pve: FakePve },
  options: VisitOptions,
): Promise<ShellVisit> {
  const context = await browser.newContext({
    viewport: { width: 1366, height: 768 },
    colorScheme: options.dark === true ? "dark" : "light",
    locale: "en-GB",
    reducedMotion: "reduce",
  });
  const login = await pve.login(options.user ?? "root@pam", "secret");
  const cookies = { ...(login ? { PVEAuthCookie: encodeURIComponent(login.ticket) } : {}), ...options.cookies };
  await context.addCookies(Object.entries(cookies).map(([name, value]) => ({ name, value, url: shell.url })));
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  if (options.ownClock === true) await page.clock.install();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${shell.url}/${options.path ?? ""}`);
  const list = page.locator(".x-treelist");
  return {
    page,
    complaints,
    choose: (text) => page.locator(".x-tree-node-text").getByText(text, { exact: true }).click(),
    tab: (name) => list.getByText(name, { exact: true }).click(),
    async tabs() {
      // Ext writes the texts in a later frame than it makes their elements.
      const texts = await page.waitForFunction(() => {
        const found = [...document.querySelectorAll(".x-treelist-item-text")].map(({ textContent }) => textContent ?? "");
        return found.length > 0 && found.every((text) => text !== "") ? found : undefined;
      });
      return (await texts.jsonValue()) ?? [];
    },
    close: () => context.close(),
  };
}
