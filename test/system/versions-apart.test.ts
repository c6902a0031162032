import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import type { AlertView } from "#protocol/alerting.ts";
import type { GuestView, Health, NodeView, SeriesAnswer } from "#protocol/api.ts";
import { messages } from "#protocol/messages.ts";
import type { RunDetail } from "#protocol/proof.ts";
import { agentOptions, hubOptions } from "../../scripts/build-options.ts";
import { scaledClock } from "../lab/clock.ts";
import { ruleOf } from "../support/alert-views.ts";
import { System } from "../support/system.ts";

/** lmdb is found from there. */
const cache = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));
/** The newest that knows no operations: what it is not asked can be seen. */
const previous = messages["op.start"].since - 1;

/** The program with a link that ends at that version. */
async function buildPrevious(options: BuildOptions, outdir: string): Promise<void> {
  const older: NonNullable<BuildOptions["plugins"]>[number] = {
    name: "older-link",
    setup(setup) {
      setup.onLoad({ filter: /protocol\/version\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        const contents = text.replace(/max: \d+ } as const/, `max: ${previous} } as const`);
        assert.notEqual(contents, text);
        return { contents, loader: "ts" };
      });
    },
  };
  const plugins = [...(options.plugins ?? []), older];
  await build({ ...options, plugins, outdir, sourcemap: false, metafile: false });
}

describe("hub and agents of different versions of the link", () => {
  const state = mkdtempSync(join(tmpdir(), "proven-apart-"));
  let programs: string;
  let system: System | undefined;

  before(async () => {
    mkdirSync(cache, { recursive: true });
    programs = mkdtempSync(join(cache, "proven-older-"));
    await Promise.all([buildPrevious(agentOptions, programs), buildPrevious(hubOptions, programs)]);
  });

  after(async () => {
    await system?.stop();
    for (const dir of [state, programs]) rmSync(dir, { recursive: true, force: true });
  });

  /** Everything of the time before ends first; the state stays. */
  async function start(older: { hub: boolean; pve1: boolean }): Promise<System> {
    await system?.stop();
    const started = await System.prepare({
      state,
      lab: { nodes: 2, guests: 8, activity: false, clock: scaledClock(10) },
      programs: {
        ...(older.hub ? { hub: join(programs, "hub.mjs") } : {}),
        ...(older.pve1 ? { agents: { pve1: join(programs, "agent.mjs") } } : {}),
      },
    });
    system = started;
    await started.startHub();
    await started.startAgents();
    await started.until(
      "both agents",
      () => started.get<Health>("health"),
      ({ agents }) => agents.connected === 2,
    );
    return started;
  }

  /** Samples of each node taken from now on. */
  async function flowing(now: System, from: number): Promise<void> {
    for (const node of ["pve1", "pve2"]) {
      const query = { series: [{ entity: `node/${node}`, metric: "uptime" }], from, to: from + 3_600_000, aggregates: ["last"] };
      await now.until(
        `samples of ${node}`,
        () => now.post<SeriesAnswer>("series/query", query),
        ({ series }) => (series[0]?.at.length ?? 0) >= 2,
      );
    }
  }

  const firing = (now: System, rule: string) =>
    now.until(
      `alerts of ${rule}`,
      () => now.get<{ items: AlertView[] }>("alerts"),
      ({ items }) => items.filter((alert) => alert.rule === rule && alert.state === "firing").length === 2,
    );

  const addRule = (now: System, id: string) => {
    const condition = { kind: "threshold", signal: "cpu", direction: "above", trigger: -1, clear: -2 } as const;
    return now.post("rules", ruleOf({ id, name: id, entity: "node", forSec: 0, condition }));
  };

  /** Orders a restore test on that node and returns why it waits. */
  async function waitsFor(now: System, node: string): Promise<string> {
    const [guest] = (await now.get<{ items: GuestView[] }>("guests")).items;
    const { vmid, type } = guest ?? assert.fail("no guests");
    const backup = { storage: "pbs1", volid: `pbs1:backup/${type === "qemu" ? "vm" : "ct"}/${vmid}/2026-01-02T03:04:05Z` };
    const { id } = await now.post<RunDetail>("restore-tests", { vmid, node, backup });
    const { waiting } = await now.until(
      `${node} refuses`,
      () => now.get<RunDetail>(`restore-tests/${id}`),
      (run) => run.waiting !== null,
    );
    return waiting ?? "";
  }

  test("an older agent at a newer hub: its samples and alerts are there, and it is given no operation", async () => {
    const from = Date.now();
    const now = await start({ hub: false, pve1: true });
    await flowing(now, from);
    await addRule(now, "newer-hub");
    await firing(now, "newer-hub");
    assert.match(await waitsFor(now, "pve1"), /^the agent of pve1 is too old for this: upgrade proven-agent there$/);
  });

  test("newer agents at an older hub: samples and alerts go on where they were, and nothing is asked of them that the hub can't know", async () => {
    const from = Date.now();
    const now = await start({ hub: true, pve1: false });
    await flowing(now, from);
    await firing(now, "newer-hub");
    await addRule(now, "older-hub");
    await firing(now, "older-hub");
    assert.match(await waitsFor(now, "pve2"), /^the agent of pve2 is too old for this: upgrade proven-agent there$/);
    const { items } = await now.get<{ items: NodeView[] }>("nodes");
    assert.deepEqual(
      items.map(({ state }) => state),
      ["online", "online"],
    );
  });
});
