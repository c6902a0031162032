import type { NodeName, StorageId, Vmid } from "#protocol/ids.ts";
import { parseNodeName, parseStorageId, parseVmid } from "#protocol/ids.ts";
import { asNumber } from "../core/values.ts";
import { guestStatusCode, type Target } from "./guest-samples.ts";
import { idsOf } from "./metric-ids.ts";

const guestIds = idsOf("guest");
const source = "rrd";

/** One guest's line; numbers are NaN where PVE says `U`. Counters as in `vmstatus`. */
export type RrdGuest = {
  vmid: Vmid;
  atMs: number;
  status: string;
  uptime: number;
  cpus: number;
  cpu: number;
  memMax: number;
  memUsed: number;
  diskMax: number;
  diskUsed: number;
  netIn: number;
  netOut: number;
  diskRead: number;
  diskWritten: number;
  memHost: number;
  /** cpu some, cpu full, io some, io full, memory some, memory full. */
  pressure: readonly number[];
};

export type RrdStorage = { node: NodeName; storage: StorageId; atMs: number; total: number; used: number };
export type Rrd = { guests: Map<Vmid, RrdGuest>; storages: RrdStorage[] };

/**
 * `/etc/pve/.rrd`: what every node of the cluster last broadcast, one line an object (pve-manager `PVE/Service/pvestatd.pm`, read as in
 * `PVE/API2Tools.pm`). Newer versions append columns, so the key's prefix is matched and columns are counted from the left; keys of PVE 8
 * (`pve2.3-vm/`) have the same first columns. Lines that don't fit are left out.
 */
export function parseRrd(text: string): Rrd {
  const rrd: Rrd = { guests: new Map(), storages: [] };
  for (const line of text.split("\n")) {
    const slash = line.indexOf("/");
    const colon = line.indexOf(":");
    if (slash < 0 || colon < slash) continue;
    const kind = line.slice(0, slash);
    const name = line.slice(slash + 1, colon);
    const columns = line.slice(colon + 1).split(":");
    if (kind === "pve2.3-vm" || kind.startsWith("pve-vm-")) addGuest(rrd, name, columns);
    else if (kind === "pve2-storage" || kind.startsWith("pve-storage-")) addStorage(rrd, name, columns);
  }
  return rrd;
}

function addGuest(rrd: Rrd, name: string, columns: readonly string[]): void {
  const vmid = parseVmid(name);
  const at = (index: number) => asNumber(columns[index]);
  if (vmid === undefined || columns.length < 15 || !Number.isFinite(at(4))) return;
  const known = rrd.guests.get(vmid);
  if (known !== undefined && known.atMs >= at(4) * 1000) return;
  rrd.guests.set(vmid, {
    vmid,
    atMs: at(4) * 1000,
    status: columns[2] as string,
    uptime: at(0),
    cpus: at(5),
    cpu: at(6),
    memMax: at(7),
    memUsed: at(8),
    diskMax: at(9),
    diskUsed: at(10),
    netIn: at(11),
    netOut: at(12),
    diskRead: at(13),
    diskWritten: at(14),
    memHost: at(15),
    pressure: [at(16), at(17), at(18), at(19), at(20), at(21)],
  });
}

function addStorage(rrd: Rrd, name: string, columns: readonly string[]): void {
  const slash = name.indexOf("/");
  const node = parseNodeName(name.slice(0, slash));
  const storage = parseStorageId(name.slice(slash + 1));
  const [atSec, total, used] = [asNumber(columns[0]), asNumber(columns[1]), asNumber(columns[2])];
  if (slash < 0 || node === undefined || storage === undefined || !Number.isFinite(atSec)) return;
  rrd.storages.push({ node, storage, atMs: atSec * 1000, total, used });
}

const pressureIds = [
  guestIds.psi_cpu_some,
  guestIds.psi_cpu_full,
  guestIds.psi_io_some,
  guestIds.psi_io_full,
  guestIds.psi_mem_some,
  guestIds.psi_mem_full,
] as const;

/** The same series as from the metrics line, without those per drive and per NIC. `countsIo` as in putLxc. */
export function putRrdGuest(to: Target, type: "qemu" | "lxc", guest: RrdGuest, countsIo: boolean): void {
  const put = (metric: number, value: number) => to.table.put(to.entity, metric, source, value);
  put(guestIds.status, guestStatusCode(guest.status));
  put(guestIds.cpus, guest.cpus);
  if (guest.memMax > 0) put(guestIds.mem_max, guest.memMax);
  if (guest.diskMax > 0) put(guestIds.disk_max, guest.diskMax);
  if (guest.status === "stopped") return;
  put(guestIds.uptime, guest.uptime);
  put(guestIds.cpu, guest.cpu);
  put(guestIds.mem_used, guest.memUsed);
  put(guestIds.net_in, guest.netIn);
  put(guestIds.net_out, guest.netOut);
  if (countsIo) {
    put(guestIds.disk_read, guest.diskRead);
    put(guestIds.disk_written, guest.diskWritten);
  }
  if (type === "qemu") put(guestIds.mem_host, guest.memHost);
  else put(guestIds.disk_used, guest.diskUsed);
  guest.pressure.forEach((value, index) => {
    put(pressureIds[index] as number, value);
  });
}
