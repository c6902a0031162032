import { ApiError, type Call, type Handler } from "./api.ts";
import { contentEntry } from "./backups.ts";
import * as config from "./config-files.ts";
import { may, mayGuest, type ReadContext } from "./read-handlers.ts";
import { readStorage } from "./storage-reading.ts";
import type { Volume } from "./volumes.ts";
import type { World } from "./world.ts";

/** Handlers about storages, as pve-storage PVE/API2/Storage/*.pm answer them. */

type Json = Record<string, unknown>;

function storageStatus({ world, now }: ReadContext, call: Call, id: string): Json {
  const storage = world.storage(id);
  if (storage === undefined) throw new ApiError(500, `storage '${id}' does not exist`);
  const { active, total, used, avail } = readStorage(world, world.node(call.node), storage, now());
  return {
    active: active ? 1 : 0,
    avail,
    content: storage.content.join(","),
    enabled: 1,
    shared: storage.shared ? 1 : 0,
    total,
    type: storage.type,
    used,
  };
}

/** A storage that hangs answers nobody, a slow one late. */
async function waitForStorage({ world, now, wait }: ReadContext, id: string): Promise<void> {
  const fault = world.storageFaults.get(id);
  if (fault === undefined || fault.from > now()) return;
  if (fault.fault === "slow") await wait(20_000);
  if (fault.fault === "hang") await wait(3_600_000);
}

async function storages(context: ReadContext, call: Call): Promise<Json[]> {
  const { content, storage } = call.params;
  const wanted = context.world.spec.storages.filter(
    (one) =>
      may(call, `/storage/${one.id}`, "Datastore.Audit") &&
      (storage === undefined || one.id === storage) &&
      (content === undefined || one.content.some((word) => String(content).split(/[,; ]/).includes(word))),
  );
  for (const { id } of wanted) await waitForStorage(context, id);
  return wanted.map(({ id }) => {
    const status = storageStatus(context, call, id);
    const total = Number(status.total);
    return { storage: id, ...status, ...(total > 0 ? { used_fraction: Number(status.used) / total } : {}) };
  });
}

/** Images carry `vmid`; an auditor sees backups only with rights on guest and storage (PVE::Storage::check_volume_access): `200 []`. */
async function storageContent(context: ReadContext, call: Call): Promise<Json[]> {
  const { world, backups } = context;
  const id = String(call.params.storage);
  const storage = world.storage(id);
  if (storage === undefined) throw new ApiError(500, `storage '${id}' does not exist`);
  await waitForStorage(context, id);
  if (!readStorage(world, world.node(call.node), storage, context.now()).active) {
    throw new ApiError(500, `storage '${id}' is not online`);
  }
  const fits = (content: string, vmid: number) =>
    (call.params.content === undefined || call.params.content === content) &&
    (call.params.vmid === undefined || call.params.vmid === vmid);
  const all = may(call, `/storage/${id}`, "Datastore.Allocate");
  const readable = (vmid: number) =>
    all || (may(call, `/storage/${id}`, "Datastore.AllocateSpace") && mayGuest(call, vmid, "VM.Backup"));
  const saved = backups()
    .filter((backup) => backup.storage === id && fits("backup", backup.vmid) && readable(backup.vmid))
    .map(contentEntry);
  const images = world.guestsNow().flatMap((guest) => {
    const { spec } = guest.life;
    const content = spec.type === "lxc" ? "rootdir" : "images";
    if (
      guest.file !== undefined ||
      !fits(content, spec.vmid) ||
      (!storage.shared && world.state(guest, context.now())?.node !== call.node)
    )
      return [];
    return spec.drives
      .filter((drive) => drive.storage === id)
      .map((drive) => ({
        content,
        ctime: Math.floor(guest.life.createdAt / 1000),
        format: id === "nfs1" && spec.type === "qemu" ? "qcow2" : spec.type === "lxc" && id === "local-zfs" ? "subvol" : "raw",
        size: drive.sizeBytes,
        vmid: spec.vmid,
        volid: config.volumeOf(guest, drive),
      }));
  });
  const restored = world.volumes
    .on(id, call.node)
    .map((volume) => ({ ...restoredEntry(volume), content: contentOf(world, volume) }))
    .filter(({ content, vmid }) => fits(content, vmid));
  return [...saved, ...images, ...restored];
}

/** Of whom a volume is when its guest is gone: its format tells as far as it can. */
const contentOf = (world: World, { vmid, format }: Volume) =>
  format === "subvol" || world.guest(vmid)?.life.spec.type === "lxc" ? "rootdir" : "images";

const restoredEntry = ({ volid, vmid, format, sizeBytes, createdAt }: Volume) => ({
  ctime: Math.floor(createdAt / 1000),
  format,
  size: sizeBytes,
  vmid,
  volid,
});

export function storageHandlers(context: ReadContext): Record<string, Handler> {
  const { world } = context;
  return {
    storages: (call) => storages(context, call),
    storageStatus: async (call) => {
      await waitForStorage(context, String(call.params.storage));
      return storageStatus(context, call, String(call.params.storage));
    },
    storageContent: (call) => storageContent(context, call),
    storageConfig: (call) =>
      world.spec.storages
        .filter(({ id, type }) => may(call, `/storage/${id}`, "Datastore.Audit") && (call.params.type ?? type) === type)
        .map(({ id, type, content }) => ({ storage: id, type, content: content.join(",") })),
  };
}
