import { X509Certificate } from "node:crypto";
import { ApiError, type Call, type Handler } from "./api.ts";
import type { Backup } from "./backups.ts";
import * as config from "./config-files.ts";
import { parseGuestFile } from "./guest-file.ts";
import { lxcStatus, qemuStatus } from "./metrics-line.ts";
import { nodeCpu } from "./model.ts";
import type { Secrets } from "./secrets.ts";
import type { StorageSpec } from "./spec.ts";
import { readStorage } from "./storage-reading.ts";
import type { Guest, World } from "./world.ts";

/** What the read endpoints answer from. */
export type ReadContext = {
  world: World;
  secrets: Secrets;
  now(): number;
  wait(ms: number): Promise<void>;
  backups(): readonly Backup[];
};

type Json = Record<string, unknown>;

export const may = ({ permissions, user }: Call, path: string, privilege: string) =>
  permissions.on(user, path).includes(privilege);
export const mayGuest = (call: Call, vmid: number, privilege: string) => may(call, `/vms/${vmid}`, privilege);

/** The guest of this type on this node, or PVE's words for its absence (PVE::AbstractConfig::load_config). */
export function localGuest({ world, now }: Pick<ReadContext, "world" | "now">, call: Call, type: "qemu" | "lxc"): Guest {
  const vmid = Number(call.params.vmid);
  const guest = world.guest(vmid);
  if (guest !== undefined) world.lookAtFile(guest);
  const state = guest && world.state(guest, now());
  if (guest === undefined || guest.life.spec.type !== type || state?.node !== call.node) {
    const folder = type === "qemu" ? "qemu-server" : "lxc";
    throw new ApiError(500, `Configuration file 'nodes/${call.node}/${folder}/${vmid}.conf' does not exist`);
  }
  return guest;
}

const isHa = (world: World, vmid: number) => config.haGuests(world.spec).some((guest) => guest.vmid === vmid);

/** Resource entry of a guest (pve-manager, PVE/API2Tools.pm extract_vm_stats); of a dead node little is known. */
function guestResource(world: World, guest: Guest, at: number): Json {
  const { spec } = guest.life;
  const state = world.state(guest, at);
  const base = { id: `${spec.type}/${spec.vmid}`, vmid: spec.vmid, node: state?.node ?? spec.node, type: spec.type };
  if (state?.known !== true) return { ...base, status: "unknown" };
  const reading = world.reading(guest, at);
  return {
    ...base,
    name: spec.name,
    status: reading === undefined ? "stopped" : state.paused ? "paused" : "running",
    template: spec.template ? 1 : 0,
    ...(spec.tags.length > 0 ? { tags: spec.tags.join(";") } : {}),
    ...(spec.pool === undefined ? {} : { pool: spec.pool }),
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
    ...(isHa(world, spec.vmid) ? { hastate: "started" } : {}),
    maxcpu: spec.cores,
    maxmem: spec.memBytes,
    maxdisk: spec.drives[0]?.sizeBytes ?? 0,
    cpu: reading?.cpu ?? 0,
    mem: reading?.memBytes ?? 0,
    memhost: reading?.memHostBytes ?? 0,
    disk: reading?.diskBytes ?? 0,
    uptime: reading?.uptimeSec ?? 0,
    netin: reading?.netInBytes ?? 0,
    netout: reading?.netOutBytes ?? 0,
    diskread: reading?.diskReadBytes ?? 0,
    diskwrite: reading?.diskWrittenBytes ?? 0,
  };
}

/** Without Sys.Audit on it a node shows only that it is there. */
function nodeResource(world: World, call: Call, name: string, at: number): Json {
  const node = world.node(name);
  const status = world.isDown(node, at) ? "offline" : "online";
  const base = { id: `node/${name}`, node: name, type: "node", level: "", status, "cgroup-mode": 2 };
  if (!may(call, `/nodes/${name}`, "Sys.Audit") || status === "offline") return base;
  const reading = world.nodeReading(node, at);
  return {
    ...base,
    cpu: nodeCpu(world, node, at).cpu,
    maxcpu: node.spec.cpus,
    mem: reading.memTotal - reading.memAvailable,
    maxmem: reading.memTotal,
    disk: reading.rootUsed,
    maxdisk: reading.rootTotal,
    uptime: reading.uptimeSec,
  };
}

function storageResource(world: World, name: string, storage: StorageSpec, at: number): Json {
  const node = world.node(name);
  const { active, total, used } = readStorage(world, node, storage, at);
  const known = active && !world.isDown(node, at);
  return {
    id: `storage/${name}/${storage.id}`,
    storage: storage.id,
    node: name,
    type: "storage",
    plugintype: storage.type,
    shared: storage.shared ? 1 : 0,
    content: storage.content.join(","),
    status: known ? "available" : "unknown",
    ...(known ? { disk: used, maxdisk: total } : {}),
  };
}

/** GET /cluster/resources (pve-manager, PVE/API2/Cluster.pm): what the caller may see of everything. */
function resources({ world, now }: ReadContext, call: Call): Json[] {
  const at = now();
  const type = call.params.type;
  const entries: Json[] = [];
  if (type === undefined || type === "vm") {
    entries.push(
      ...world
        .guestsNow()
        .filter(({ life }) => mayGuest(call, life.spec.vmid, "VM.Audit"))
        .map((guest) => guestResource(world, guest, at)),
    );
  }
  const names = [...world.nodes.keys()];
  if (type === undefined || type === "node") entries.push(...names.map((name) => nodeResource(world, call, name, at)));
  if (type === undefined || type === "storage") {
    for (const storage of world.spec.storages) {
      if (!may(call, `/storage/${storage.id}`, "Datastore.Audit")) continue;
      entries.push(...names.map((name) => storageResource(world, name, storage, at)));
    }
  }
  if (type === undefined && may(call, "/pool/prod", "Pool.Audit")) entries.push({ id: "/pool/prod", pool: "prod", type: "pool" });
  return entries;
}

function clusterStatus({ world, now }: ReadContext, call: Call): Json[] {
  const at = now();
  return [
    {
      id: "cluster",
      name: world.spec.name,
      type: "cluster",
      version: world.nodes.size,
      nodes: world.nodes.size,
      quorate: world.quorate(at) ? 1 : 0,
    },
    ...[...world.nodes.values()].map((node) => ({
      id: `node/${node.spec.name}`,
      name: node.spec.name,
      type: "node",
      ip: node.spec.ip,
      level: "",
      local: node.spec.name === call.node ? 1 : 0,
      nodeid: node.spec.id,
      online: world.isDown(node, at) ? 0 : 1,
    })),
  ];
}

function nodeStatus({ world, now }: ReadContext, call: Call): Json {
  const node = world.node(call.node);
  const at = now();
  const reading = world.nodeReading(node, at);
  const { cpu, iowait } = nodeCpu(world, node, at);
  const kversion = `Linux ${config.kernelRelease} #1 SMP PREEMPT_DYNAMIC PMX ${config.kernelRelease.replace("-pve", "")}`;
  return {
    "boot-info": { mode: "efi", secureboot: 0 },
    cpu,
    wait: iowait,
    idle: 0,
    cpuinfo: {
      cores: node.spec.cpus / 2,
      cpus: node.spec.cpus,
      model: node.spec.cpuModel,
      mhz: "2596.140",
      sockets: 1,
      user_hz: 100,
      hvm: "1",
      flags: "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov svm",
    },
    "current-kernel": {
      machine: "x86_64",
      release: config.kernelRelease,
      sysname: "Linux",
      version: kversion.slice(kversion.indexOf("#")),
    },
    ksm: { shared: 0 },
    kversion,
    loadavg: reading.load.map((load) => load.toFixed(2)),
    memory: {
      available: reading.memAvailable,
      free: reading.memFree,
      total: reading.memTotal,
      used: reading.memTotal - reading.memAvailable,
    },
    pveversion: `pve-manager/${config.pveVersion.version}/${config.pveVersion.repoid}`,
    rootfs: {
      avail: reading.rootAvail,
      free: reading.rootTotal - reading.rootUsed,
      total: reading.rootTotal,
      used: reading.rootTotal - reading.rootAvail,
    },
    swap: { free: reading.swapFree, total: reading.swapTotal, used: reading.swapTotal - reading.swapFree },
    uptime: reading.uptimeSec,
  };
}

function guestList({ world, now }: ReadContext, call: Call, type: "qemu" | "lxc"): Json[] {
  return world
    .guestsOn(call.node, now())
    .filter(({ guest }) => guest.life.spec.type === type && mayGuest(call, guest.life.spec.vmid, "VM.Audit"))
    .map(({ guest, state }) => {
      const reading = world.reading(guest, now());
      if (type === "lxc") return lxcStatus(guest, state, reading);
      const { qmpstatus: _, ...status } = qemuStatus(guest, state, reading, false);
      return status;
    });
}

function guestStatus(context: ReadContext, call: Call, type: "qemu" | "lxc"): Json {
  const { world, now } = context;
  const guest = localGuest(context, call, type);
  const state = world.state(guest, now());
  if (state === undefined) throw new Error("a local guest without a state");
  const reading = world.reading(guest, now());
  const status = type === "qemu" ? qemuStatus(guest, state, reading, true) : lxcStatus(guest, state, reading);
  const ha = isHa(world, guest.life.spec.vmid) ? { managed: 1, state: "started" } : { managed: 0 };
  return { ...status, ha, ...(type === "qemu" && guest.life.spec.agent !== "none" ? { agent: 1 } : {}) };
}

const numberKeys = new Set(
  "cores sockets onboot numa template unprivileged swap balloon protection acpi autostart kvm tablet vcpus cpuunits shares".split(
    " ",
  ),
);

/** GET …/config: the keys of the file; `memory` is text for VMs and a number for containers, as recorded. */
function guestConfig(context: ReadContext, call: Call, type: "qemu" | "lxc"): Json {
  const guest = localGuest(context, call, type);
  const entries = Object.entries(config.guestConfig(context.world, guest)).map(([key, value]) => [
    key,
    numberKeys.has(key) || (key === "memory" && type === "lxc") ? Number(value) : value,
  ]);
  return {
    ...Object.fromEntries(entries),
    ...(guest.file === undefined ? {} : besideValues(guest.file.text, type)),
    digest: config.digestOf(config.guestConfigText(context.world, guest)),
  };
}

/** A description ends with a newline on containers only; passwords are never shown. All as recorded. */
function besideValues(text: string, type: "qemu" | "lxc"): Json {
  const { description, raw, values } = parseGuestFile(text);
  return {
    ...(description === undefined ? {} : { description: type === "lxc" ? `${description}\n` : description }),
    ...(raw.length === 0 ? {} : { lxc: raw }),
    ...(values.has("cipassword") ? { cipassword: "**********" } : {}),
  };
}

function permissions(call: Call): Json {
  const { path, userid } = call.params;
  const user = userid === undefined ? call.user : String(userid);
  if (user !== call.user && !may(call, "/access", "Sys.Audit"))
    throw new ApiError(403, "Permission check failed (/access, Sys.Audit)");
  const paths = path === undefined ? call.permissions.paths(user) : [String(path)];
  return Object.fromEntries(
    paths.map((one) => [one, Object.fromEntries(call.permissions.on(user, one).map((privilege) => [privilege, 1]))]),
  );
}

const certificate = (filename: string, pem: string): Json => {
  const parsed = new X509Certificate(pem);
  return {
    filename,
    fingerprint: parsed.fingerprint256,
    issuer: parsed.issuer,
    notafter: Math.floor(Date.parse(parsed.validTo) / 1000),
    notbefore: Math.floor(Date.parse(parsed.validFrom) / 1000),
    pem,
    san: (parsed.subjectAltName ?? "").split(", ").map((name) => name.replace(/^(DNS|IP Address):/, "")),
    subject: parsed.subject,
  };
};

/** Handlers of the read endpoints, by their name in the table. */
export function readHandlers(context: ReadContext): Record<string, Handler> {
  const { world, secrets, now } = context;
  return {
    version: () => config.pveVersion,
    nodes: (call) => [...world.nodes.keys()].map((name) => nodeResource(world, call, name, now())),
    resources: (call) => resources(context, call),
    clusterStatus: (call) => clusterStatus(context, call),
    nodeStatus: (call) => nodeStatus(context, call),
    qemuList: (call) => guestList(context, call, "qemu"),
    lxcList: (call) => guestList(context, call, "lxc"),
    qemuStatus: (call) => guestStatus(context, call, "qemu"),
    lxcStatus: (call) => guestStatus(context, call, "lxc"),
    qemuConfig: (call) => guestConfig(context, call, "qemu"),
    lxcConfig: (call) => guestConfig(context, call, "lxc"),
    permissions,
    certificates: () => [certificate("pve-root-ca.pem", secrets.caPem), certificate("pve-ssl.pem", secrets.nodeCertPem)],
  };
}
