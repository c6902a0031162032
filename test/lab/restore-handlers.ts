import { ApiError, type Call, ExpectedError, type Handler } from "./api.ts";
import { ensureArchiveFile } from "./archive-files.ts";
import { archivePath } from "./archives.ts";
import { poolMembers } from "./config-files.ts";
import { ContainerRestore } from "./container-restore.ts";
import type { Copy } from "./copies.ts";
import type { CopyChange } from "./copy-change.ts";
import { isVolumeKey } from "./guest-file.ts";
import type { Params } from "./params.ts";
import { localGuest, may, mayGuest } from "./read-handlers.ts";
import { pidOfTask, type RestoreCall, type RestoreParts } from "./restore-job.ts";
import type { RestoreSafety } from "./restore-safety.ts";
import type { TaskHandle } from "./tasks.ts";
import { headerProblems, VmRestore } from "./vm-restore.ts";

export type RestoreContext = RestoreParts & { safety: RestoreSafety; change: CopyChange };

/** Parameters of the create calls that say how, not what is written. */
const controls = new Set(
  "node vmid archive ostemplate restore storage unique start pool bwlimit force live-restore ha-managed import-working-storage".split(
    " ",
  ),
);
const containerControls = ["ignore-unpack-errors", "password", "ssh-public-keys"];

const conflict = (keys: readonly string[]) =>
  new ApiError(
    400,
    "Parameter verification failed.",
    Object.fromEntries(keys.map((key) => [key, "option conflicts with option 'archive'"])),
  );

function restoreCall(call: Call, type: "qemu" | "lxc"): RestoreCall {
  const { params, user } = call;
  const text = (key: string) => (params[key] === undefined ? undefined : String(params[key]));
  const overrides = Object.entries(params)
    .filter(([key]) => !controls.has(key) && !containerControls.includes(key))
    .map(([key, value]) => [key, String(value)]);
  return {
    vmid: Number(params.vmid),
    type,
    volid: String(params.archive ?? params.ostemplate),
    storage: text("storage"),
    unique: params.unique === 1,
    start: params.start === 1,
    pool: text("pool"),
    bwlimit: params.bwlimit === undefined ? undefined : Number(params.bwlimit),
    liveRestore: params["live-restore"] === 1,
    overrides: Object.fromEntries(overrides),
    user,
  };
}

/** PVE's words when the number has an owner, whichever type it is of. */
function refuseTaken({ world, schedule, plans }: RestoreContext, vmid: number, prefix: string): void {
  plans.beforeCreate.get(vmid)?.();
  plans.beforeCreate.delete(vmid);
  const guest = world.guest(vmid);
  if (guest === undefined) return;
  const node = world.state(guest, schedule.now())?.node ?? guest.home;
  throw new ApiError(500, `${prefix}${guest.life.spec.type === "qemu" ? "VM" : "CT"} ${vmid} already exists on node '${node}'`);
}

function refuseUnknownPool({ copies }: RestoreContext, params: Params): void {
  if (params.pool === undefined || copies.pools.has(String(params.pool))) return;
  throw new ApiError(403, `Permission check failed (pool '${params.pool}' does not exist)`);
}

const noQuorum = new ApiError(500, "cluster not ready - no quorum?");

/** Makes the file with its lock, then the task that holds the flock until it is over. */
function startRestore(
  context: RestoreContext,
  call: RestoreCall,
  node: string,
  work: (copy: Copy, task: TaskHandle) => ReturnType<VmRestore["work"]>,
): string {
  const { copies, tasks, world, schedule } = context;
  if (!world.quorate(schedule.now())) throw noQuorum;
  const copy = copies.create({ vmid: call.vmid, type: call.type, node, owner: call.user, text: "lock: create\n" });
  const type = call.type === "qemu" ? "qmrestore" : "vzrestore";
  const task = tasks.start({ node, type, id: String(call.vmid), user: call.user }, (handle) => work(copy, handle));
  copy.upid = task.upid;
  copy.autostart = call.start;
  const { pid, pstart: startTicks } = task;
  context.traces.run(node, pid, [`task ${task.upid}`], { session: pid, startTicks });
  copies.hold(call.vmid, task.upid);
  return task.upid;
}

/** `POST /nodes/{node}/qemu` with `archive` (PVE/API2/Qemu.pm create_vm). The lab makes no empty VMs. */
function createVm(context: RestoreContext, call: Call): string {
  const { params, user, node } = call;
  const wanted = restoreCall(call, "qemu");
  if (params.archive === undefined) throw new ApiError(500, "the lab restores only: there is no archive in the call");
  const disks = Object.keys(params).filter((key) => isVolumeKey("qemu", key));
  if (disks.length > 0) throw conflict(disks);
  if (user !== "root@pam" && params.lock !== undefined) throw new ApiError(500, "only root can set 'lock' config");
  if (user !== "root@pam" && !may(call, `/vms/${wanted.vmid}`, "VM.Allocate")) {
    throw new ApiError(403, `Permission check failed (/vms/${wanted.vmid}, VM.Allocate)`);
  }
  context.safety.creates("qemu", params);
  if (params.force !== 1) refuseTaken(context, wanted.vmid, `unable to restore VM ${wanted.vmid} - `);
  refuseUnknownPool(context, params);
  const archive = context.archives.find(wanted.volid);
  if (archive === undefined) throw new ApiError(500, `volume '${wanted.volid}' does not exist`);
  if (params.force === 1) destroyFirst(context, wanted.vmid);
  return startRestore(context, wanted, node, (copy, task) =>
    new VmRestore(context, wanted, copy, task, pidOfTask(task.upid)).work(archive),
  );
}

/** `force=1`: what was there is gone before the archive is looked at. */
function destroyFirst({ copies, world, safety }: RestoreContext, vmid: number): void {
  const guest = world.guest(vmid);
  if (guest === undefined) return;
  safety.touches("force=1", guest, "overwrite");
  for (const volume of world.volumes.of(vmid, guest.home)) world.volumes.remove(volume);
  copies.remove(guest);
}

/** `POST /nodes/{node}/lxc` with `restore=1` (PVE/API2/LXC.pm create_vm). */
function createContainer(context: RestoreContext, call: Call): string {
  const { params, node, user } = call;
  const wanted = restoreCall(call, "lxc");
  if (params.restore !== 1) throw new ApiError(500, "the lab restores only: restore=1 is not in the call");
  if (user !== "root@pam" && !may(call, `/vms/${wanted.vmid}`, "VM.Allocate")) {
    throw new ApiError(403, `Permission check failed (/vms/${wanted.vmid}, VM.Allocate)`);
  }
  context.safety.creates("lxc", params);
  const existing = context.world.guest(wanted.vmid);
  if (params.force === 1 && existing !== undefined && context.world.reading(existing, context.schedule.now()) !== undefined) {
    throw new ApiError(500, "can't overwrite running container");
  }
  if (params.force !== 1) refuseTaken(context, wanted.vmid, "");
  refuseUnknownPool(context, params);
  if (params.rootfs === undefined && Object.keys(params).some((key) => /^mp\d+$/.test(key))) {
    throw new ApiError(500, "mount points configured, but 'rootfs' not set - aborting");
  }
  const id = wanted.storage ?? "local";
  const storage = context.world.storage(id);
  if (storage === undefined) throw new ApiError(500, `storage '${id}' does not exist`);
  if (!storage.content.includes("rootdir")) {
    throw new ApiError(400, "Parameter verification failed.", {
      storage: `storage '${id}' does not support container directories`,
    });
  }
  if (params.force === 1) destroyFirst(context, wanted.vmid);
  return startRestore(context, wanted, node, (copy, task) =>
    new ContainerRestore(context, wanted, copy, task, pidOfTask(task.upid)).work(context.archives.find(wanted.volid)),
  );
}

function nextId({ world }: RestoreContext, call: Call): string {
  const { vmid } = call.params;
  if (vmid !== undefined) {
    if (world.guest(Number(vmid)) === undefined) return String(vmid);
    throw new ExpectedError(400, "Parameter verification failed.", { vmid: `VM ${vmid} already exists` });
  }
  let free = 100;
  while (world.guest(free) !== undefined) free++;
  return String(free);
}

function extractConfig({ archives }: RestoreContext, call: Call): string {
  const volid = String(call.params.volume);
  const archive = archives.find(volid);
  if (archive === undefined) throw new ApiError(500, `volume '${volid}' does not exist`);
  if (!mayGuest(call, archive.backup.vmid, "VM.Backup")) {
    throw new ApiError(403, `Permission check failed (/vms/${archive.backup.vmid}, VM.Backup)`);
  }
  if (archive.damage !== undefined && headerProblems[archive.damage] !== undefined) {
    throw new ApiError(500, `command 'vma config ${archivePath(volid)}' failed: got signal 5`);
  }
  return archive.config;
}

/** pve-storage PVE/API2/Storage/Content.pm info; of a backup's file the size is the storage's listing's. Only backups: nobody asks for more. */
function storageVolume({ archives, tree }: RestoreContext, call: Call): Record<string, unknown> {
  const volid = String(call.params.volume);
  const archive = archives.find(volid);
  if (archive === undefined) throw new ApiError(500, `volume '${volid}' does not exist`);
  if (!mayGuest(call, archive.backup.vmid, "VM.Backup")) {
    throw new ApiError(403, `Permission check failed (/vms/${archive.backup.vmid}, VM.Backup)`);
  }
  const { sizeBytes, notes, protected: kept } = archive.backup;
  const path = ensureArchiveFile(tree, call.node, archive);
  return {
    ...(path === undefined ? {} : { path }),
    size: sizeBytes,
    used: sizeBytes,
    format: archive.format,
    ...(notes === "" ? {} : { notes }),
    ...(kept ? { protected: 1 } : {}),
  };
}

/** Shape of pve-manager PVE/API2/Pool.pm; not among the recordings. */
function pools({ world, copies }: RestoreContext, call: Call): unknown[] {
  const members = (pool: string) =>
    [...poolMembers(world.spec, pool), ...(copies.pools.get(pool) ?? [])].flatMap((vmid) => {
      const guest = world.guest(vmid);
      if (guest === undefined) return [];
      const { type, name } = guest.life.spec;
      return [{ id: `${type}/${vmid}`, vmid, type, name, node: guest.home }];
    });
  const { poolid } = call.params;
  if (poolid === undefined) return [...copies.pools.keys()].map((pool) => ({ poolid: pool }));
  if (!copies.pools.has(String(poolid))) throw new ApiError(500, `no such pool '${poolid}'`);
  return [{ poolid, members: members(String(poolid)) }];
}

/** `[OPTIONS]` of the guest's firewall file (pve-firewall PVE/Firewall.pm). Works on locked guests too, as recorded. */
function firewall({ copies }: RestoreContext, call: Call): Record<string, unknown> {
  const options = /^\[OPTIONS\]\n((?:[a-z_]+: .*\n)*)/m.exec(copies.readFirewall(Number(call.params.vmid)))?.[1] ?? "";
  const pairs = options
    .split("\n")
    .filter((line) => line !== "")
    .map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  return Object.fromEntries(pairs.map(([key, value]) => [key, /^[01]$/.test(value) ? Number(value) : value]));
}

function changeFirewall(context: RestoreContext, call: Call): null {
  const { node: _node, vmid, delete: gone, digest: _digest, ...wanted } = call.params;
  const options = { ...firewall(context, call), ...wanted };
  const deleted = String(gone ?? "").split(/[,; ]+/);
  const lines = Object.entries(options).filter(([key]) => !deleted.includes(key));
  const rest = context.copies.readFirewall(Number(vmid)).replace(/^\[OPTIONS\]\n(?:[a-z_]+: .*\n)*\n?/m, "");
  context.copies.writeFirewall(Number(vmid), `[OPTIONS]\n${lines.map(([key, value]) => `${key}: ${value}\n`).join("")}\n${rest}`);
  return null;
}

export function restoreHandlers(context: RestoreContext): Record<string, Handler> {
  const { change, safety, world, schedule } = context;
  const local = (call: Call, type: "qemu" | "lxc") => localGuest({ world, now: () => schedule.now() }, call, type);
  const guarded =
    (type: "qemu" | "lxc", what: string, work: (call: Call) => unknown): Handler =>
    (call) => {
      const guest = local(call, type);
      safety.touches(call.user, guest, what);
      if (!world.quorate(schedule.now())) throw noQuorum;
      if (!context.copies.all.has(guest)) throw new ApiError(500, "the lab changes and destroys restored guests only");
      return work(call);
    };
  return {
    nextId: (call) => nextId(context, call),
    extractConfig: (call) => extractConfig(context, call),
    storageVolume: (call) => storageVolume(context, call),
    pools: (call) => pools(context, call),
    pool: (call) => pools(context, call)[0],
    qemuCreate: (call) => createVm(context, call),
    lxcCreate: (call) => createContainer(context, call),
    qemuChange: guarded("qemu", "change of", (call) => change.change(call, "qemu")),
    lxcChange: guarded("lxc", "change of", (call) => change.change(call, "lxc")),
    qemuDestroy: guarded("qemu", "delete of", (call) => change.destroy(call, "qemu")),
    lxcDestroy: guarded("lxc", "delete of", (call) => change.destroy(call, "lxc")),
    qemuFirewall: (call) => firewall(context, call),
    lxcFirewall: (call) => firewall(context, call),
    qemuFirewallChange: guarded("qemu", "change of", (call) => changeFirewall(context, call)),
    lxcFirewallChange: guarded("lxc", "change of", (call) => changeFirewall(context, call)),
  };
}
