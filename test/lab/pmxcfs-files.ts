import { nodeCpu } from "./model.ts";
import { readStorage } from "./storage-reading.ts";
import type { Guest, LabNode, World } from "./world.ts";

/** The generated dot files of /etc/pve (pve-cluster, src/pmxcfs/status.c), spaces and line breaks as recorded. */

/** Files that have a counter in .version, in its order. */
const observed = [
  "corosync.conf",
  "corosync.conf.new",
  "storage.cfg",
  "user.cfg",
  "domains.cfg",
  "notifications.cfg",
  "priv/notifications.cfg",
  "priv/shadow.cfg",
  "priv/acme/plugins.cfg",
  "priv/tfa.cfg",
  "priv/token.cfg",
  "priv/wg-keys.cfg",
  "datacenter.cfg",
  "vzdump.cron",
  "vzdump.conf",
  "jobs.cfg",
  "ha/crm_commands",
  "ha/manager_status",
  "ha/resources.cfg",
  "ha/rules.cfg",
  "ha/groups.cfg",
  "ha/fence.cfg",
  "status.cfg",
  "replication.cfg",
  "ceph.conf",
  "sdn/vnets.cfg",
  "sdn/zones.cfg",
  "sdn/controllers.cfg",
  "sdn/subnets.cfg",
  "sdn/ipams.cfg",
  "sdn/mac-cache.json",
  "sdn/pve-ipam-state.json",
  "sdn/dns.cfg",
  "sdn/fabrics.cfg",
  "sdn/route-maps.cfg",
  "sdn/prefix-lists.cfg",
  "sdn/.running-config",
  "virtual-guest/cpu-models.conf",
  "virtual-guest/profiles.cfg",
  "firewall/cluster.fw",
  "mapping/directory.cfg",
  "mapping/pci.cfg",
  "mapping/usb.cfg",
];

export function versionText(world: World, startedAt: number): string {
  const counter = (file: string, first: number) => world.versions.get(file) ?? first;
  const stores = [...world.nodes.keys()].map(
    (node) =>
      `"${node}": {\n"kv/static-info": 0,\n"tasklist": ${counter(`tasklist ${node}`, 1)},\n"kv/version-info": 0,\n"kv/network": 1}`,
  );
  return `{
"starttime": ${Math.floor(startedAt / 1000)},
"clinfo": ${counter("clinfo", 1)},
"vmlist": ${counter("vmlist", 1)},
${observed.map((file) => `"${file}": ${counter(file, 1)},\n`).join("")}"kvstore": {
${stores.join(",\n")}
}
}
`;
}

export function vmlistText(world: World, at: number): string {
  const lines = world.guestsNow().map((guest) => {
    const { vmid, type, node } = guest.life.spec;
    return `"${vmid}": { "node": "${world.state(guest, at)?.node ?? node}", "type": "${type}", "version": ${guest.version} }`;
  });
  const ids = lines.length === 0 ? "" : `,\n"ids": {\n${lines.join(",\n")}}\n`;
  return `{\n"version": ${world.versions.get("vmlist") ?? 1}${ids}\n}\n`;
}

/** Seen from `self`; a node is online when it lives and, without quorum, only itself. Clustered shape from status.c: not recorded. */
export function membersText(world: World, self: LabNode, at: number): string {
  const quorate = world.quorate(at);
  const nodes = [...world.nodes.values()].map((node) => {
    const online = node === self || (!world.isDown(node, at) && (world.quorumLostAt === undefined || at < world.quorumLostAt));
    return `  "${node.spec.name}": { "id": ${node.spec.id}, "online": ${online ? 1 : 0}, "ip": "${node.spec.ip}"}`;
  });
  return `{
"nodename": "${self.spec.name}",
"version": ${world.membersVersion},
"cluster": { "name": "${world.spec.name}", "version": ${world.nodes.size}, "nodes": ${world.nodes.size}, "quorate": ${quorate ? 1 : 0} },
"nodelist": {
${nodes.join(",\n")}
  }
}
`;
}

export type ClusterLogEntry = {
  uid: number;
  time: number;
  pri: number;
  tag: string;
  pid: number;
  node: string;
  user: string;
  msg: string;
};

/** Newest first, at most 50. */
export function clusterLogText(entries: readonly ClusterLogEntry[]): string {
  const lines = entries
    .slice(0, 50)
    .map(
      ({ uid, time, pri, tag, pid, node, user, msg }) =>
        `{"uid": ${uid}, "time": ${time}, "pri": ${pri}, "tag": "${tag}", "pid": ${pid}, "node": "${node}", "user": "${user}", "msg": ${JSON.stringify(msg)}}`,
    );
  return `{\n"data": [\n${lines.join(",\n")}\n]\n}\n`;
}

function guestLine(world: World, guest: Guest, at: number): string | undefined {
  const state = world.state(guest, at);
  if (state === undefined || !state.known) return undefined;
  const { spec } = guest.life;
  const reading = world.reading(guest, at);
  const head = [`pve-vm-9.0/${spec.vmid}`, reading?.uptimeSec ?? 0, spec.name];
  const rest = [spec.template ? 1 : 0, Math.floor(at / 1000), spec.cores];
  const maxdisk = spec.drives[0]?.sizeBytes ?? 0;
  if (reading === undefined) {
    return [...head, "stopped", ...rest, "U", spec.memBytes, "U", maxdisk, 0, ...Array.from({ length: 11 }, () => "U")].join(":");
  }
  const status = spec.type === "qemu" && state.paused ? "paused" : "running";
  const pressure = reading.pressure.map((value) => (spec.type === "qemu" ? value : value.toFixed(2)));
  return [
    ...head,
    status,
    ...rest,
    reading.cpu,
    spec.memBytes,
    reading.memBytes,
    maxdisk,
    reading.diskBytes,
    reading.netInBytes,
    reading.netOutBytes,
    reading.diskReadBytes,
    reading.diskWrittenBytes,
    spec.type === "qemu" ? reading.memHostBytes : "U",
    ...pressure,
  ].join(":");
}

function nodeLine(world: World, node: LabNode, at: number): string {
  const reading = world.nodeReading(node, at);
  const { cpu, iowait } = nodeCpu(world, node, at);
  const physical = reading.nics.get("eno1");
  return [
    `pve-node-9.0/${node.spec.name}`,
    reading.uptimeSec,
    "",
    Math.floor(at / 1000),
    reading.load[0],
    node.spec.cpus,
    cpu,
    iowait,
    reading.memTotal,
    reading.memTotal - reading.memAvailable,
    reading.swapTotal,
    reading.swapTotal - reading.swapFree,
    reading.rootTotal,
    reading.rootUsed,
    physical?.inBytes ?? 0,
    physical?.outBytes ?? 0,
    reading.memAvailable,
    reading.arcBytes,
    reading.psiCpu.toFixed(2),
    reading.psiIoSome.toFixed(2),
    reading.psiIoFull.toFixed(2),
    reading.psiMemSome.toFixed(2),
    reading.psiMemFull.toFixed(2),
  ].join(":");
}

/** What one node broadcasts: its guests, its active storages, itself. Storages that don't answer have no line. */
export function rrdLines(world: World, node: LabNode, at: number): string[] {
  const guests = world.guestsOn(node.spec.name, at).map(({ guest }) => guestLine(world, guest, at));
  const storages = world.spec.storages.map((storage) => {
    const { active, total, used } = readStorage(world, node, storage, at);
    return active ? `pve-storage-9.0/${node.spec.name}/${storage.id}:${Math.floor(at / 1000)}:${total}:${used}` : undefined;
  });
  return [...guests, ...storages, nodeLine(world, node, at)].filter((line) => line !== undefined);
}
