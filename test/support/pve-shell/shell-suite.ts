import { after, before } from "node:test";
import type { Browser } from "playwright-core";
import { launchBrowser } from "../browser.ts";
import { extFiles } from "./ext.ts";
import { loaderText, type ShellWorld, shellFiles, startShellWorld, type WorldOptions } from "./shell-visit.ts";

/** The browser and the worlds of one test file about Proxmox VE's page; they end with it. */
export class ShellSuite {
  /** Why there is no Ext JS here, for `test`'s option of the same name. */
  readonly skip: string | false;
  private readonly ext = extFiles();
  private readonly worlds: ShellWorld[] = [];
  private parts: { browser: Browser; loader: string; files: Map<string, Uint8Array> } | undefined;

  /** `minify: false`: what the page says of an error then names what stands in the sources. */
  constructor({ minify = true } = {}) {
    this.skip = this.ext.problem ?? false;
    if (this.skip !== false) return;
    before(async () => {
      const [browser, loader, files] = await Promise.all([launchBrowser(), loaderText(minify), shellFiles(minify)]);
      this.parts = { browser, loader, files };
    });
    after(async () => {
      await this.parts?.browser.close();
      await Promise.all(this.worlds.map((world) => world.close()));
    });
  }

  get browser(): Browser {
    return this.started().browser;
  }

  get loader(): string {
    return this.started().loader;
  }

  get files(): ReadonlyMap<string, Uint8Array> {
    return this.started().files;
  }

  async startWorld(options: Partial<WorldOptions> = {}): Promise<ShellWorld> {
    const { loader, files } = this.started();
    const world = await startShellWorld({ ext: this.ext.dir ?? "", loader, files, ...options });
    this.worlds.push(world);
    return world;
  }

  private started() {
    if (this.parts === undefined) throw new Error("the suite has not started: ask in a test");
    return this.parts;
  }
}
