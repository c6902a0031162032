import { ApiError, type Call, type Handler } from "./api.ts";
import * as config from "./config-files.ts";
import { cephStatus, guestFilesystems, haManagerStatus } from "./hardware.ts";
import { localGuest, mayGuest, type ReadContext } from "./read-handlers.ts";
import { isSuccess, type Task, type Tasks } from "./tasks.ts";
import type { Guest } from "./world.ts";

/** Handlers about jobs, tasks, HA, replication, hardware and the guest agent. */

type Json = Record<string, unknown>;
export type JobContext = ReadContext & { tasks: Tasks };

const dayMs = 86_400_000;

/** Next time of day at or after `now`; `weekday`: 0 = Sunday. UTC, the lab's nodes live there. */
function nextRun(now: number, hour: number, minute: number, weekday?: number): number {
  let at = Math.floor(now / dayMs) * dayMs + (hour * 60 + minute) * 60_000;
  while (at <= now || (weekday !== undefined && new Date(at).getUTCDay() !== weekday)) at += dayMs;
  return Math.floor(at / 1000);
}

/** The three jobs of jobs.cfg; `prune-backups` is an object here, as recorded. */
function backupJobs({ world, now }: JobContext): Json[] {
  return [
    {
      id: "backup-nightly",
      type: "vzdump",
      all: 1,
      compress: "zstd",
      enabled: 1,
      exclude: config.nightlyExclude(world.spec).join(","),
      mode: "snapshot",
      "notes-template": "{{guestname}}",
      "prune-backups": { "keep-daily": "7", "keep-weekly": "4" },
      schedule: "21:00",
      storage: "nfs1",
      "next-run": nextRun(now(), 21, 0),
    },
    {
      id: "backup-pbs",
      type: "vzdump",
      enabled: 1,
      mode: "snapshot",
      "notes-template": "{{guestname}}",
      pool: "prod",
      schedule: "sun 02:30",
      storage: "pbs1",
      "next-run": nextRun(now(), 2, 30, 0),
    },
    {
      id: "205c4c1e-f6d7-45c9-b864-d4f03ab00214",
      type: "vzdump",
      all: 1,
      enabled: 0,
      mode: "stop",
      schedule: "sat 03:30",
      storage: "nfs1",
      "next-run": nextRun(now(), 3, 30, 6),
    },
  ];
}

/** A disabled job covers too, as recorded: with `all` in one of them nothing is left. So the lab leaves that job out of the count. */
function notBackedUp({ world }: JobContext): Json[] {
  const excluded = new Set(config.nightlyExclude(world.spec));
  const pool = new Set(config.poolMembers(world.spec, "prod"));
  return world
    .guestsNow()
    .filter(({ life }) => excluded.has(life.spec.vmid) && !pool.has(life.spec.vmid))
    .map(({ life }) => ({ name: life.spec.name, type: life.spec.type, vmid: life.spec.vmid }));
}

function haResources({ world }: JobContext, call: Call): Json[] {
  if (call.params.type === "ct") return [];
  const digest = config.digestOf(config.haResourcesCfg(world.spec));
  return config
    .haGuests(world.spec)
    .map(({ vmid }) => ({ digest, max_restart: 2, sid: `vm:${vmid}`, state: "started", type: "vm" }));
}

/** quorum, fencing, master, lrm, service; all but the first two and `service` follow pve-ha-manager PVE/API2/HA/Status.pm, not a recording. */
function haStatus({ world, now }: JobContext, call: Call): Json[] {
  const at = now();
  const quorate = world.quorate(at);
  const [master] = world.nodes.keys();
  const stamp = new Date(at).toUTCString();
  return [
    { id: "quorum", node: call.node, quorate: quorate ? 1 : 0, status: quorate ? "OK" : "No quorum on node!", type: "quorum" },
    { "armed-state": "armed", id: "fencing", node: call.node, status: "armed (CRM watchdog active)", type: "fencing" },
    { id: "master", node: master, status: `${master} (active, ${stamp})`, type: "master", timestamp: Math.floor(at / 1000) },
    ...[...world.nodes.values()].map((node) => ({
      id: `lrm:${node.spec.name}`,
      node: node.spec.name,
      status: `${node.spec.name} (${world.isDown(node, at) ? "old timestamp - dead?" : "active"}, ${stamp})`,
      type: "lrm",
      timestamp: Math.floor(at / 1000),
    })),
    ...config.haGuests(world.spec).map(({ vmid }) => {
      const guest = world.guest(vmid);
      const node = guest && world.state(guest, at)?.node;
      return {
        id: `service:vm:${vmid}`,
        sid: `vm:${vmid}`,
        node,
        type: "service",
        state: "started",
        request_state: "started",
        crm_state: "started",
        failback: 1,
        max_relocate: 1,
        max_restart: 2,
        status: `vm:${vmid} (${node}, started)`,
      };
    }),
  ];
}

function haManager({ world, now }: JobContext, call: Call): Json {
  const at = now();
  return {
    manager_status: haManagerStatus(world, at),
    quorum: { node: call.node, quorate: world.quorate(at) ? "1" : "0" },
  };
}

/** Every quarter of an hour; on the source node only. */
function replication({ world, now }: JobContext, call: Call): Json[] {
  const job = config.replicationJob(world.spec);
  if (job === undefined || job.source !== call.node || (call.params.guest ?? job.vmid) !== job.vmid) return [];
  if (!mayGuest(call, job.vmid, "VM.Audit")) return [];
  const last = Math.floor(now() / 900_000) * 900;
  return [
    {
      id: `${job.vmid}-0`,
      type: "local",
      guest: job.vmid,
      jobnum: "0",
      source: job.source,
      target: job.target,
      schedule: "*/15",
      vmtype: world.newest(job.vmid)?.life.spec.type,
      last_sync: last,
      last_try: last,
      next_sync: last + 900,
      duration: 4.8,
      fail_count: 0,
    },
  ];
}

function replicationJobs({ world }: JobContext, call: Call): Json[] {
  const job = config.replicationJob(world.spec);
  if (job === undefined || !mayGuest(call, job.vmid, "VM.Audit")) return [];
  const { vmid: guest, source, target } = job;
  return [{ id: `${guest}-0`, type: "local", guest, jobnum: "0", source, target, schedule: "*/15" }];
}

/** wearout is what is left (pve-storage, PVE/Diskmanage.pm); without SMART (`skipsmart`) it is not known. */
function disks({ world }: JobContext, call: Call): Json[] {
  const skip = call.params.skipsmart === 1;
  return world.node(call.node).spec.disks.flatMap((disk) => {
    const whole = {
      devpath: `/dev/${disk.name}`,
      gpt: 1,
      health: skip ? "UNKNOWN" : "PASSED",
      model: disk.model.replaceAll(" ", "_"),
      mounted: 0,
      osdid: -1,
      "osdid-list": null,
      rpm: 0,
      serial: disk.serial,
      size: disk.sizeBytes,
      type: disk.kind,
      used: disk.kind === "nvme" ? "ZFS" : "LVM",
      vendor: disk.kind === "nvme" ? "unknown" : "ATA     ",
      wearout: skip ? "N/A" : disk.kind === "nvme" ? 97 : 92,
      wwn: "unknown",
    };
    if (call.params["include-partitions"] !== 1) return [whole];
    const parts = disk.partitions.map((name) => ({
      devpath: `/dev/${name}`,
      parent: `/dev/${disk.name}`,
      gpt: 1,
      mounted: 0,
      osdid: -1,
      "osdid-list": null,
      size: 1 << 30,
    }));
    return [whole, ...parts];
  });
}

const updates = (): Json[] => [
  {
    Arch: "amd64",
    Description:
      "This package provides commandline tools for searching and managing as well as querying information about packages.",
    OldVersion: "3.0.3",
    Origin: "Debian",
    Package: "apt",
    Priority: "required",
    Section: "admin",
    Title: "commandline package manager",
    Version: "3.0.4",
  },
];

function taskEntry(task: Task): Json {
  const { upid, node, pid, pstart, startedAt, type, id, user, endedAt, status } = task;
  const entry = { upid, node, pid, pstart, starttime: Math.floor(startedAt / 1000), type, id, user };
  return endedAt === undefined ? entry : { ...entry, endtime: Math.floor(endedAt / 1000), status };
}

/** Defaults: finished ones only, 50, own ones unless Sys.Audit (pve-manager, PVE/API2/Tasks.pm). */
function taskList({ tasks }: JobContext, call: Call): Json[] {
  const {
    source = "archive",
    limit = 50,
    start = 0,
    since = 0,
    until = Number.MAX_SAFE_INTEGER,
    typefilter,
    userfilter,
    vmid,
    errors,
  } = call.params;
  const audits = call.permissions.on(call.user, `/nodes/${call.node}`).includes("Sys.Audit");
  return tasks
    .on(call.node)
    .filter(
      (task) =>
        (audits || task.user === call.user) &&
        (source === "all" || (source === "active") === (task.endedAt === undefined)) &&
        task.startedAt / 1000 >= Number(since) &&
        task.startedAt / 1000 <= Number(until) &&
        (typefilter === undefined || task.type === typefilter) &&
        (userfilter === undefined || task.user.includes(String(userfilter))) &&
        (vmid === undefined || task.id === String(vmid)) &&
        (errors !== 1 || (task.status !== undefined && !isSuccess(task.status))),
    )
    .slice(Number(start), Number(start) + Number(limit))
    .map((task) => (task.endedAt === undefined ? { ...taskEntry(task), status: "RUNNING" } : taskEntry(task)));
}

/** The task, if the caller may see it. */
function ownTask({ tasks }: JobContext, call: Call, privilege: "Sys.Audit" | "Sys.Modify"): Task {
  const upid = String(call.params.upid);
  if (!upid.startsWith("UPID:"))
    throw new ApiError(400, "Parameter verification failed.", { upid: "unable to parse worker upid" });
  const task = tasks.find(upid);
  if (task === undefined) throw new ApiError(500, "no such task");
  if (task.user !== call.user && !call.permissions.on(call.user, `/nodes/${call.node}`).includes(privilege)) {
    throw new ApiError(403, `Permission check failed (/nodes/${call.node}, ${privilege})`);
  }
  return task;
}

function taskStatus(context: JobContext, call: Call): Json {
  const task = ownTask(context, call, "Sys.Audit");
  const { endtime: _, status, ...entry } = taskEntry(task);
  return task.endedAt === undefined ? { ...entry, status: "running" } : { ...entry, status: "stopped", exitstatus: status };
}

function taskLog(context: JobContext, call: Call): Json[] {
  const lines = context.tasks.readLog(ownTask(context, call, "Sys.Audit"));
  const start = Number(call.params.start ?? 0);
  const shown = lines.slice(start, start + Number(call.params.limit ?? 50));
  return shown.length === 0 ? [{ n: 1, t: "no content" }] : shown.map((t, index) => ({ n: start + index + 1, t }));
}

/** Refuses as recorded: a stopped guest at once, one without agent at once, a dead agent after three seconds. */
export async function answeringGuest(context: JobContext, call: Call) {
  const guest = localGuest(context, call, "qemu");
  const { vmid } = guest.life.spec;
  const agent = context.world.agentOf(guest, context.now());
  if (context.world.reading(guest, context.now()) === undefined) throw new ApiError(500, `VM ${vmid} is not running`);
  if (agent === "none") throw new ApiError(500, "No QEMU guest agent configured");
  const paused = context.world.state(guest, context.now())?.paused === true;
  if (agent === "dead" || paused || guest.lock === "backup") {
    await context.wait(3000);
    throw new ApiError(500, "QEMU guest agent is not running");
  }
  return guest;
}

/** What QEMU's guest agent answers (QGA's guest-network-get-interfaces, guest-get-fsinfo); never recorded: the recorded node had no agent. */
export function agentInterfacesOf(context: JobContext, guest: Guest): Json {
  const text = config.guestConfigText(context.world, guest);
  const nics = guest.life.spec.nics.map((nic, index) => ({
    name: `ens${18 + index}`,
    "hardware-address": new RegExp(`^${nic}: [a-z0-9-]+=([0-9A-F:]+)`, "m").exec(text)?.[1]?.toLowerCase(),
    "ip-addresses": [{ "ip-address": `192.168.60.${20 + (guest.life.spec.vmid % 200)}`, "ip-address-type": "ipv4", prefix: 24 }],
  }));
  const loopback = { name: "lo", "ip-addresses": [{ "ip-address": "127.0.0.1", "ip-address-type": "ipv4", prefix: 8 }] };
  return { result: [loopback, ...nics] };
}

async function agentFsinfo(context: JobContext, call: Call): Promise<Json> {
  const guest = await answeringGuest(context, call);
  const entries = guestFilesystems(guest).map(({ name, mountpoint, type, total, used }) => ({
    name,
    mountpoint,
    type,
    "total-bytes": total,
    "used-bytes": used,
    disk: [],
  }));
  return { result: entries };
}

/** What a node without Ceph answers (PVE::Ceph::Tools check_ceph_installed); never recorded. */
function ceph({ world }: JobContext): Json {
  if (world.ceph === undefined) throw new ApiError(500, "binary not installed: /usr/bin/ceph-mon");
  return cephStatus(world.ceph);
}

export function jobHandlers(context: JobContext): Record<string, Handler> {
  return {
    backupJobs: () => backupJobs(context),
    notBackedUp: () => notBackedUp(context),
    haResources: (call) => haResources(context, call),
    haStatus: (call) => haStatus(context, call),
    cephStatus: () => ceph(context),
    haManager: (call) => haManager(context, call),
    replication: (call) => replication(context, call),
    replicationJobs: (call) => replicationJobs(context, call),
    disks: (call) => disks(context, call),
    updates,
    tasks: (call) => taskList(context, call),
    taskStatus: (call) => taskStatus(context, call),
    taskLog: (call) => taskLog(context, call),
    taskStop: (call) => {
      context.tasks.interrupt(ownTask(context, call, "Sys.Modify").upid);
      return null;
    },
    agentFsinfo: (call) => agentFsinfo(context, call),
    agentPing: async (call) => {
      await answeringGuest(context, call);
      return { result: {} };
    },
  };
}
