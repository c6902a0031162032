import type { EventView, GuestView, NodeView, Reading, StorageView, TaskView } from "#protocol/api.ts";

/** A generated cluster for the panel: every value is a function of the time, so that history and live figures agree. */
export type FakeCluster = {
  cluster: string;
  nodes(now: number): NodeView[];
  guests(now: number): GuestView[];
  storages(now: number): StorageView[];
  tasks(now: number): TaskView[];
  events(now: number): EventView[];
  /** From when on an entity's node says nothing; Infinity: it speaks. */
  silentSince(entity: string, now: number): number;
};

export type ClusterSetup = {
  nodes: number;
  guests: number;
  /** Agents fall silent one after another from the last node on: so many. */
  silent: number;
  /** A full storage and failed tasks too. */
  trouble: boolean;
  /** Name of guest 100. */
  firstName?: string;
};

const cluster = "0123456789abcdef";
const gib = 2 ** 30;
const names = [
  "web",
  "db",
  "mail",
  "dns",
  "git",
  "ci",
  "proxy",
  "files",
  "cache",
  "queue",
  "auth",
  "wiki",
  "ldap",
  "log",
  "shop",
];
const tagSets = [["prod", "web"], ["prod", "db"], ["test"], ["infra"], ["prod"], []];

/** 0 … 1, the same for the same words and time: a daily rhythm with noise. */
export function wave(seed: string, at: number): number {
  const phase = hash(seed) * 6.28;
  const day = 0.5 + 0.35 * Math.sin((at / 86_400_000) * 6.28 + phase);
  const hour = 0.12 * Math.sin((at / 1_500_000) * 6.28 + phase * 3);
  const noise = 0.16 * (hash(`${seed} ${Math.floor(at / 20_000)}`) - 0.5);
  return Math.min(1, Math.max(0.01, day + hour + noise));
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
  value ^= value >>> 15;
  value = Math.imul(value, 2_246_822_507);
  return ((value ^ (value >>> 13)) >>> 0) / 2 ** 32;
}

const absent: Reading = { state: "absent", value: null, at: null };

/** When the silent nodes were last heard of: 23 minutes ago. */
const silentForMs = 23 * 60_000;

export function fakeCluster(setup: ClusterSetup): FakeCluster {
  const nodeNames = Array.from({ length: setup.nodes }, (_, index) => `pve${index + 1}`);
  const isSilent = (node: string) => nodeNames.indexOf(node) >= setup.nodes - setup.silent;
  const reading = (node: string, value: number, now: number): Reading => {
    if (isSilent(node)) return { state: "stale", value, at: now - silentForMs };
    return { state: "fresh", value, at: now - (now % 10_000) };
  };
  const vmids = Array.from({ length: setup.guests }, (_, index) => 100 + index);
  const nodeOf = (vmid: number) => nodeNames[vmid % nodeNames.length] ?? "pve1";

  const guestView = (vmid: number, now: number): GuestView => {
    const [index, node] = [vmid - 100, nodeOf(vmid)];
    const type = index % 3 === 2 ? "lxc" : "qemu";
    const template = index === 14;
    const stopped = template || index % 11 === 7;
    const on = (value: number) => (stopped ? absent : reading(node, value, now));
    const memMax = (1 + (index % 5)) * 2 * gib;
    const size = 32 * gib;
    return {
      cluster,
      vmid,
      entity: `guest/${vmid}`,
      incarnation: index === 5 ? 2 : 1,
      type,
      name:
        index === 0 && setup.firstName !== undefined
          ? setup.firstName
          : `${names[index % names.length]}${String(Math.floor(index / names.length) + 1).padStart(2, "0")}`,
      node,
      state: isSilent(node) ? "unknown" : stopped ? "stopped" : index === 16 ? "paused" : "running",
      template,
      lock: index === 9 ? "backup" : null,
      tags: tagSets[index % tagSets.length] ?? [],
      pool: index % 4 === 0 ? "production" : null,
      onboot: index % 2 === 0,
      cpu: on(wave(`guest/${vmid} cpu`, now) * 0.6),
      cpus: reading(node, 1 + (index % 4), now),
      memUsed: on(wave(`guest/${vmid} mem_used`, now) * memMax * 0.9),
      memMax: reading(node, memMax, now),
      memSource: stopped ? null : type === "lxc" ? "cgroup" : (["balloon", "host", "agent"][index % 3] ?? null),
      diskUsed: type === "lxc" ? on(size * 0.42) : absent,
      diskMax: reading(node, size, now),
      netIn: on(wave(`guest/${vmid} net_in`, now) * 4e6),
      netOut: on(wave(`guest/${vmid} net_out`, now) * 9e6),
      diskRead: on(wave(`guest/${vmid} disk_read`, now) * 12e6),
      diskWrite: on(wave(`guest/${vmid} disk_written`, now) * 7e6),
      uptime: on(86_400 * (3 + (index % 40)) + (now % 86_400_000) / 1000),
    };
  };

  const nodeView = (node: string, now: number): NodeView => {
    const own = vmids.filter((vmid) => nodeOf(vmid) === node).map((vmid) => guestView(vmid, now));
    const silent = isSilent(node);
    return {
      cluster,
      node,
      entity: `node/${node}`,
      state: silent ? "offline" : "online",
      agent: {
        state: silent ? "away" : "connected",
        software: "0.1.0",
        connectedAt: silent ? null : now - 5 * 3_600_000,
        lastSeenAt: silent ? now - silentForMs : now - 2000,
        clockSkewMs: 12,
        duties: node === "pve1" ? ["cluster-log", "shared-storage"] : [],
        sources: [
          { source: "proc", problem: null },
          { source: "guests", problem: null },
          { source: "zfs", problem: setup.trouble && node === "pve2" ? "zpool list did not answer within 5 s" : null },
        ],
      },
      pveVersion: "9.2.11",
      kernel: "6.18.44-1-pve",
      cpuModel: "AMD EPYC 7313P 16-Core Processor",
      timezone: "Europe/Rome",
      ip: `192.0.2.${11 + nodeNames.indexOf(node)}`,
      guests: {
        total: own.length,
        running: own.filter((guest) => guest.state === "running").length,
        unknown: own.filter((guest) => guest.state === "unknown").length,
      },
      zpools: node === "pve1" ? ["tank"] : [],
      cpu: reading(node, wave(`node/${node} cpu`, now) * 0.7, now),
      cpus: reading(node, 32, now),
      memUsed: reading(node, wave(`node/${node} mem_used`, now) * 100 * gib, now),
      memTotal: reading(node, 128 * gib, now),
      rootUsed: reading(node, 21 * gib, now),
      rootTotal: reading(node, 94 * gib, now),
      uptime: reading(node, 41 * 86_400 + (now % 86_400_000) / 1000, now),
    };
  };

  const storageView = (
    storage: string,
    node: string | null,
    type: string,
    total: number,
    used: number,
    now: number,
  ): StorageView => {
    const of = (value: number) => reading(node ?? "pve1", value, now);
    return {
      cluster,
      storage,
      entity: node === null ? `storage/${storage}` : `storage/${node}/${storage}`,
      node,
      type,
      shared: node === null,
      content: type === "pbs" ? ["backup"] : ["images", "rootdir"],
      state: node !== null && isSilent(node) ? "unknown" : "available",
      used: of(used * total),
      total: of(total),
      avail: of((1 - used) * total * 0.98),
    };
  };

  const task = (index: number, now: number): TaskView => {
    const node = nodeNames[index % nodeNames.length] ?? "pve1";
    const startedAt = Math.floor(now / 3_600_000) * 3_600_000 - index * 2_400_000 - 600_000;
    const failed = setup.trouble && (index === 3 || index === 8);
    const id = failed ? "107" : String(100 + ((index * 7) % setup.guests));
    const type = failed ? "vzdump" : (["vzdump", "qmstart", "vncproxy", "qmsnapshot"][index % 4] ?? "vzdump");
    return {
      cluster,
      upid: `UPID:${node}:0000${1000 + index}:0001ABCD:${Math.floor(startedAt / 1000)
        .toString(16)
        .toUpperCase()}:${type}:${id}:root@pam:`,
      node: failed ? "pve2" : node,
      type,
      id,
      user: "root@pam",
      startedAt,
      endedAt: startedAt + 95_000,
      state: failed ? "failed" : "ok",
      status: failed ? "job errors" : "OK",
    };
  };

  return {
    cluster,
    silentSince: (entity, now) => {
      const [kind = "", name = ""] = entity.split("/");
      const node = kind === "guest" ? nodeOf(Number(name)) : name;
      return isSilent(node) && nodeNames.includes(node) ? now - silentForMs : Number.POSITIVE_INFINITY;
    },
    nodes: (now) => nodeNames.map((node) => nodeView(node, now)),
    guests: (now) => vmids.map((vmid) => guestView(vmid, now)),
    storages: (now) => [
      storageView("nfs1", null, "nfs", 8192 * gib, setup.trouble ? 0.91 : 0.61, now),
      storageView("pbs1", null, "pbs", 20_480 * gib, 0.48, now),
      ...nodeNames.flatMap((node) => [
        storageView("local", node, "dir", 94 * gib, 0.22, now),
        storageView("local-zfs", node, "zfspool", 1800 * gib, 0.57, now),
      ]),
    ],
    tasks: (now) => Array.from({ length: 40 }, (_, index) => task(index, now)),
    events: (now) => [
      ...(setup.silent > 0
        ? [
            {
              id: 42,
              at: now - silentForMs,
              cluster,
              type: "node.offline",
              severity: "critical" as const,
              entity: `node/${nodeNames.at(-1)}`,
              node: nodeNames.at(-1) ?? null,
              text: `node ${nodeNames.at(-1)} went offline`,
              actor: null,
            },
          ]
        : []),
      {
        id: 41,
        at: now - 2 * 3_600_000,
        cluster,
        type: "guest.migrated",
        severity: "info",
        entity: "guest/104",
        node: "pve2",
        text: "guest 104 moved from pve1 to pve2",
        actor: null,
      },
      {
        id: 40,
        at: now - 5 * 3_600_000,
        cluster,
        type: "agent.connected",
        severity: "info",
        entity: "node/pve1",
        node: "pve1",
        text: "agent of pve1 connected",
        actor: null,
      },
    ],
  };
}
