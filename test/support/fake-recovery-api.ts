import type { Hono } from "hono";
import type { GuestView } from "#protocol/api.ts";
import type { GuestRecovery, RecoveryDetail } from "#protocol/recovery.ts";
import type { FakeCluster } from "./fake-cluster.ts";

const hour = 3_600_000;
const nothing = { target: null, backup: null, burns: null, provenAt: null, restoreMs: null, without: [] };

/** One of each kind on each node, in turn. */
function recoveryOf({ entity, vmid, type, name }: GuestView, index: number, now: number): GuestRecovery {
  const guest = { entity, vmid, type, name, ...nothing };
  const at = now - 12 * hour;
  const backup = { at, storage: "pbs1", volid: `pbs1:backup/vm/${vmid}`, verified: true, encrypted: false, stale: false };
  switch (index % 5) {
    case 0:
      return { ...guest, state: "proven", way: "backup", dataAt: at, backup, provenAt: now - 50 * hour, restoreMs: 252_000 };
    case 1:
      return { ...guest, state: "unproven", way: "backup", dataAt: at, backup, burns: { at: now - hour, storage: "local" } };
    case 2:
      return { ...guest, state: "stays", way: "ha", dataAt: null };
    case 3:
      return { ...guest, state: "lost", way: null, dataAt: null, burns: { at, storage: "local" } };
    default:
      return { ...guest, state: "stays", way: "replica", target: "pve2", dataAt: now - hour / 4, without: ["mp0"] };
  }
}

const order = ["lost", "failed", "unknown", "unproven", "stays", "proven"] as const;

function lossOf(world: FakeCluster, node: string, now: number): RecoveryDetail {
  const guests = world.guests(now).filter((guest) => guest.node === node && !guest.template);
  const each = guests
    .map((guest, index) => recoveryOf(guest, index, now))
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const restored = each.filter(({ way }) => way === "backup");
  const measured = restored.flatMap(({ restoreMs }) => restoreMs ?? []);
  const times = each.flatMap(({ dataAt }) => dataAt ?? []);
  const count = (state: GuestRecovery["state"]) => each.filter((one) => one.state === state).length;
  return {
    ...{
      cluster: world.cluster,
      node,
      entity: `node/${node}`,
      guests: each.length,
      each,
      keysNeeded: 0,
      hubHere: node === "pve1",
    },
    counts: {
      ...{ lost: count("lost"), failed: count("failed"), unknown: count("unknown") },
      ...{ unproven: count("unproven"), stays: count("stays"), proven: count("proven") },
    },
    oldestAt: times.length === 0 ? null : Math.min(...times),
    restores: { guests: restored.length, measured: measured.length, totalMs: measured.reduce((sum, ms) => sum + ms, 0) },
    room: { fits: "yes", neededBytes: 40 * 2 ** 30, freeBytes: 96 * 2 ** 30 },
  };
}

/** What would come back if a node were lost. */
export function addRecoveryApi(app: Hono, world: FakeCluster): void {
  app.get("/api/v1/recovery", (c) => {
    const now = Date.now();
    const items = world.nodes(now).map(({ node }) => {
      const { each: _, ...sums } = lossOf(world, node, now);
      return sums;
    });
    return c.json({ items, next: null });
  });
  app.get("/api/v1/nodes/:node/recovery", (c) => c.json(lossOf(world, c.req.param("node"), Date.now())));
}
