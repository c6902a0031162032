import type { Hono } from "hono";
import type { EntityView, Outlook } from "#protocol/entities.ts";
import type { NodeHardware } from "#protocol/hardware.ts";
import type { FakeCluster } from "./fake-cluster.ts";
import { fakeMetrics } from "./fake-history.ts";

const gib = 2 ** 30;
const dayMs = 86_400_000;
type Named = Pick<EntityView, "entity" | "kind" | "name" | "title" | "node"> & Partial<EntityView>;

/** Entities of the generated cluster: its nodes and guests, and the disks and pools of pve1. */
function entitiesOf(world: FakeCluster, now: number): EntityView[] {
  const { cluster } = world;
  const filled = (one: Named): EntityView => ({
    ...{ cluster, type: "", storages: [], disk: null, guest: null, metrics: [] },
    ...one,
  });
  const guests = world.guests(now).map(({ entity, vmid, name, node, type }, index) =>
    filled({
      ...{ entity, kind: "guest", name, node, type, title: `${name} (${type === "qemu" ? "VM" : "CT"} ${vmid})` },
      storages: [index % 3 === 0 ? "nfs1" : "local-zfs"],
      guest: {
        ...{ agent: type === "qemu" ? "answers" : null, ha: index === 0 ? "started" : null, snapshotsLeftOut: 0 },
        snapshots:
          index === 0
            ? [
                { name: "before-upgrade", at: now - 40 * dayMs },
                { name: "nightly", at: now - dayMs / 2 },
              ]
            : [],
      },
    }),
  );
  const disk = (name: string, serial: string, smart: "read" | "none") =>
    filled({
      ...{ entity: `disk/pve1/${serial}`, kind: "disk", name, title: name, node: "pve1" },
      disk: { model: "MZQL23T8", serial, sizeBytes: 3_840_755_982_336, smart },
    });
  const nodes = world.nodes(now).map(({ entity, node }) => filled({ entity, kind: "node", name: node, title: node, node }));
  return [
    ...guests,
    ...nodes,
    disk("nvme0n1", "S64HNE0", "read"),
    disk("sdb", "sdb", "none"),
    filled({ entity: "zpool/pve1/tank", kind: "zpool", name: "tank", title: "tank on pve1", node: "pve1" }),
    filled({ entity: "thinpool/pve1/pve/data", kind: "thinpool", name: "data", title: "pve/data on pve1", node: "pve1" }),
    filled({
      entity: "datastore/0123456789abcdef/main",
      kind: "datastore",
      name: "main",
      title: "main on pbs",
      node: null,
      storages: ["pbs1"],
    }),
  ];
}

const growing = (metric: string, capacity: number, perDay: number, days: number): Outlook => ({
  ...{ metric, instance: null, capacity, trend: "growing", why: null, perDay, days },
  ...{ daysEarliest: days * 0.8, daysLatest: days * 1.4, since: 0 },
});
/** pve1 says what it is, pve2 has no SMBIOS table; of the others no agent has told. */
const cpu = { model: "AMD EPYC 7313P 16-Core Processor", sockets: 1, cores: 16, threads: 32 };
const dimm = { sizeBytes: 32 * gib, type: "DDR4", speed: 3200, maker: "Samsung Electronics Inc.", part: "M393A4K40DB3-CWE" };
const machines: Record<string, NodeHardware["hardware"]> = {
  pve1: {
    ...{ maker: "Supermicro", model: "AS -1114S-WN10RT", serial: "S424242X2A00001", cpu },
    board: { maker: "Supermicro", model: "H12SSW-NTR", version: "1.02" },
    firmware: { maker: "American Megatrends Inc.", version: "2.5", date: "2022-09-14" },
    memory: {
      emptySlots: 6,
      modules: [
        { ...dimm, place: 1, slot: "P0_Node0_Channel0_Dimm0", serial: "03B1F8E4" },
        { ...dimm, place: 3, serial: "03B1F8E5" },
      ],
    },
  },
  pve2: { board: {}, firmware: {}, cpu, missing: "smbios" },
};
const noTrend = (metric: string): Outlook => ({
  ...growing(metric, 1, 0, 0),
  ...{ trend: "none", why: "not-significant", perDay: null, days: null, daysEarliest: null, daysLatest: null, since: null },
});

/** What pages about one thing ask beside history; `hasAlerts`: somebody else answers for alerts that are over. */
export function addEntityApi(app: Hono, world: FakeCluster, hasAlerts: boolean): void {
  app.get("/api/v1/entities", (c) => {
    const { kind, node, entity, values } = c.req.query();
    const now = Date.now();
    const items = entitiesOf(world, now).filter(
      (one) =>
        (kind === undefined || one.kind === kind) &&
        (node === undefined || one.node === node) &&
        (entity === undefined || one.entity === entity),
    );
    const withValues = (one: EntityView) =>
      one.disk?.smart === "none" ? one : { ...one, metrics: fakeMetrics(world.cluster, one.entity, now).metrics };
    return c.json({ items: values === "1" ? items.map(withValues) : items, next: null });
  });
  app.get("/api/v1/entities/outlook", (c) => {
    const kind = c.req.query("entity")?.split("/")[0];
    const known: Record<string, Outlook[]> = {
      storage: [growing("used", 8192 * gib, 20 * gib, 11)],
      zpool: [growing("allocated", 1800 * gib, gib, 200)],
      thinpool: [noTrend("data"), growing("metadata", 1, 0.004, 34)],
      datastore: [growing("used", 20_480 * gib, 40 * gib, 260)],
      node: [noTrend("root_used")],
    };
    return c.json({ items: known[kind ?? ""] ?? [], next: null });
  });
  app.get("/api/v1/nodes/:node/hardware", (c) => {
    const node = c.req.param("node");
    return c.json({ cluster: world.cluster, node, entity: `node/${node}`, hardware: machines[node] ?? null });
  });
  // Nothing was ever restored, and no backup is known.
  for (const path of ["restore-tests", "backups", "proof"]) app.get(`/api/v1/${path}`, (c) => c.json({ items: [], next: null }));
  if (!hasAlerts) app.get("/api/v1/alerts/history", (c) => c.json({ items: [], next: null }));
}
