import type { Message } from "#protocol/messages.ts";
import { type RestoreStep, restoreSteps } from "#protocol/restore.ts";
import type { Drama, Stage } from "./dramas.ts";
import { ociConfig, plantTest, type RestoreNode } from "./restore-node.ts";

/** Every drama of the brute force: what a test is, what goes on beside it, and how often agents die in a row. */
export type Scene = Drama & {
  /** `once` at every event; `twice`, `thrice`: the next ones in their clearing away; `reaper`: at every event of clearing away. */
  dies: readonly ("once" | "twice" | "thrice" | "reaper")[];
};

const types = ["qemu", "lxc"] as const;
const firewall = "[OPTIONS]\nenable: 1\n";
const testVmid = 990_000;
type Fault = Parameters<RestoreNode["lab"]["control"]["inject"]>[0];

/** A step of the first test begins. */
const begins = (step: RestoreStep, { ids }: Stage, { type, body }: Message) =>
  type === "op.progress" && body.id === ids[0] && body.step?.step === step && body.step.state === "running";

/** On cue, in the moment in which that step begins. */
const atStep =
  (step: RestoreStep, action: (stage: Stage) => void): NonNullable<Drama["cue"]> =>
  (stage, message) => {
    if (!begins(step, stage, message)) return false;
    action(stage);
    return true;
  };

const tell = (type: "op.cancel" | "op.keep", { hear, ids, node }: Stage, moreMs = 0) => {
  const actor = "alice@pve";
  for (const id of ids) {
    if (type === "op.cancel") hear({ type, body: { id, actor } });
    else hear({ type, body: { id, actor, untilAt: node.clock.now() + moreMs } });
  }
};

/** Only a guest that is there can be touched. */
function touch({ lab }: RestoreNode, fault: Fault): void {
  if (lab.world.guest(testVmid) !== undefined) lab.control.inject(fault);
}

const operator = (does: "takeover" | "rewire" | "destroy" | "start" | "unlock" | "recreate"): Fault => ({
  kind: "restore",
  fault: "operator",
  vmid: testVmid,
  does,
});

const plain: Scene[] = types.flatMap((type) => [
  {
    name: `${type} from a file`,
    orders: (node) => [plantTest(node, type, {}, { firewall })],
    dies: ["once", "twice", "thrice", "reaper"],
  },
  {
    name: `${type} whose screen is looked at and whose disk is measured`,
    orders: (node) => [plantTest(node, type, { screenshot: true, benchmark: true })],
    dies: ["once", "twice"],
  },
  {
    name: `${type} from a Backup Server`,
    orders: (node) => [plantTest(node, type, {}, { storage: "pbs1" })],
    dies: ["once", "twice"],
  },
]);

const application: Scene = {
  name: "a container made of an OCI image, for which PVE asks for an address",
  orders: (node) => [plantTest(node, "lxc", { checks: [] }, { config: ociConfig })],
  dies: ["once", "twice", "reaper"],
};

/** Kept by the order, longer by the hub, and once more in the agent that comes after. */
const kept: Scene[] = types.map((type) => ({
  name: `${type} that is kept a while, and then longer`,
  limits: { keepSec: 600 },
  orders: (node) => [plantTest(node, type, { keepSec: 60 }, { storage: type === "qemu" ? "pbs1" : "nfs1" })],
  cue: (stage, { type: said, body }) => {
    if (said !== "op.progress" || body.keepUntil === undefined) return false;
    queueMicrotask(() => tell("op.keep", stage, 120_000));
    return true;
  },
  later: (stage) => tell("op.keep", stage, 30_000),
  dies: ["once", "twice", "reaper"],
}));

const damaged: Scene[] = types.map((type) => ({
  name: `${type} whose archive is damaged`,
  orders: (node) => {
    const order = plantTest(node, type, { integrity: false });
    node.lab.restores.archives.damage(order.backup.volid, "cut-half");
    return [order];
  },
  dies: ["once", "twice"],
}));

const cancelled: Scene[] = types.flatMap((type) =>
  restoreSteps.map((step) => ({
    name: `${type} that is cancelled when ${step} begins`,
    orders: (node: RestoreNode) => [plantTest(node, type, { keepSec: 60 })],
    cue: atStep(step, (stage) => tell("op.cancel", stage)),
    dies: ["once" as const],
  })),
);

/** While its data is half written. */
const hang = ({ lab }: RestoreNode) => {
  lab.control.inject({ kind: "restore", fault: "hang" });
};

const killWorker = (node: RestoreNode) => {
  const running = node.lab.tasks.on("pve1").some(({ upid, type }) => /restore$/.test(type) && node.lab.tasks.isRunning(upid));
  if (running) touch(node, { kind: "restore", fault: "kill-worker", vmid: testVmid });
};

/** Its tar, or zstd and vma, run on for 10 to 20 seconds. */
const workerKilled: Scene[] = types.flatMap((type) => [
  {
    name: `${type} whose worker is killed while its programs run on`,
    orders: (node) => [plantTest(node, type, { integrity: false })],
    before: hang,
    cue: atStep("restore", ({ node }) => {
      node.lab.schedule.at(node.clock.now() + 3000, () => killWorker(node));
    }),
    dies: ["once", "twice"],
  },
  {
    name: `${type} whose worker is killed together with the agent`,
    orders: (node) => [plantTest(node, type, { integrity: false })],
    onDeath: killWorker,
    cue: atStep("restore", () => undefined),
    dies: ["once"],
  },
  {
    name: `${type} on a node that loses its power with the agent`,
    orders: (node) => [plantTest(node, type, { integrity: false })],
    cue: atStep("sandbox", () => undefined),
    onDeath: async ({ lab, clock, drive }) => {
      lab.control.inject({ kind: "node", node: "pve1", action: "kill" });
      await drive(clock.sleep(30_000));
      lab.control.inject({ kind: "node", node: "pve1", action: "revive" });
    },
    dies: ["once"],
  },
]);

const takenOver = (type: "qemu" | "lxc", step: RestoreStep): Scene => ({
  name: `${type} that somebody makes his own when ${step} begins`,
  orders: (node) => [plantTest(node, type)],
  cue: atStep(step, ({ node }) => touch(node, operator("takeover"))),
  stays: true,
  dies: ["once"],
});

const touched: Scene[] = types.flatMap((type) => [
  ...(["compare", "start", "checks", "destroy"] as const).map((step) => takenOver(type, step)),
  ...(["rewire", "unlock", "start", "destroy"] as const).map(
    (does): Scene => ({
      name: `${type} that somebody touches (${does}) before it is judged again`,
      orders: (node) => [plantTest(node, type)],
      cue: atStep("compare-again", ({ node }) => {
        // A card on production is harm only in what Proven starts: the lab says so at the start.
        touch(node, operator(does));
      }),
      dies: ["once"],
    }),
  ),
  {
    name: `${type} that somebody destroys, to make another guest under its number`,
    orders: (node) => [plantTest(node, type)],
    cue: atStep("checks", ({ node }) => touch(node, operator("recreate"))),
    stays: true,
    dies: ["once", "twice"],
  },
  {
    name: `${type} that somebody migrates away`,
    nodes: 2,
    orders: (node) => [plantTest(node, type)],
    cue: atStep("checks", ({ node }) => touch(node, { kind: "restore", fault: "migrated", vmid: testVmid, target: "pve2" })),
    stays: true,
    dies: ["once", "twice"],
  },
]);

const together: Scene[] = [
  {
    name: "two tests at once",
    limits: { parallel: 2, reserveMib: 0 },
    orders: (node) => [plantTest(node, "qemu"), plantTest(node, "lxc", {}, { storage: "pbs1" })],
    dies: ["once", "twice"],
  },
  {
    name: "two tests at once in one sandbox, of which one is kept and one comes to nothing",
    limits: { parallel: 2, reserveMib: 0, keepSec: 600 },
    orders: (node) => {
      const bad = plantTest(node, "qemu", { sandbox: "shared", integrity: false }, { storage: "pbs1" });
      node.lab.restores.archives.damage(bad.backup.volid, "cut-half");
      return [plantTest(node, "lxc", { sandbox: "shared", keepSec: 60 }), bad];
    },
    dies: ["once", "twice"],
  },
  {
    name: "two tests at once in one sandbox",
    limits: { parallel: 2, reserveMib: 0 },
    orders: (node) => [plantTest(node, "lxc", { sandbox: "shared" }), plantTest(node, "qemu", { sandbox: "shared" })],
    dies: ["once"],
  },
  ...types.map(
    (type): Scene => ({
      name: `${type} while another process tests at the same node`,
      limits: { reserveMib: 0 },
      orders: (node) => [plantTest(node, type)],
      beside: (node) => plantTest(node, type === "qemu" ? "lxc" : "qemu", { keepSec: 20 }),
      dies: ["once", "twice"],
    }),
  ),
];

export const scenes: readonly Scene[] = [
  ...plain,
  application,
  ...kept,
  ...damaged,
  ...workerKilled,
  ...touched,
  ...together,
  ...cancelled,
];
