import { parsePropertyString } from "../property-string.ts";
import { type BackedUpConfig, isDrive, isDumped, isMountPoint, parseDiskSize } from "./backed-up-config.ts";
import { driveKind } from "./isolate-vm.ts";

/** What a restore will ask of the node: bytes on a storage, and where its disks lay. Pure, so that a dry run and a test say the same. */

/** Virtual disks that the backup holds, with their storages. `unknown`: drives whose size nobody says. */
export type DiskNeeds = { bytes: number; storages: string[]; unknown: string[] };

/** `backup=0` disks are not in an archive; containers get all their volumes made anew, those left out too. */
export function diskNeeds(config: BackedUpConfig): DiskNeeds {
  const needs: DiskNeeds = { bytes: 0, storages: [], unknown: [] };
  for (const [key, value] of config.values) {
    const volume = volumeOf(config, key, value);
    if (volume === undefined) continue;
    const size = parseDiskSize(parsePropertyString(value).get("size"));
    if (size === undefined) needs.unknown.push(key);
    else needs.bytes += size;
    if (volume.startsWith("/")) continue; // a disk of the node, which lay on no storage
    const storage = volume.slice(0, volume.indexOf(":"));
    if (!needs.storages.includes(storage)) needs.storages.push(storage);
  }
  return needs;
}

/** What a restore makes a volume of; undefined: nothing. */
function volumeOf(config: BackedUpConfig, key: string, value: string): string | undefined {
  const properties = parsePropertyString(value);
  const volume = properties.get(config.type === "qemu" ? "file" : "volume") ?? properties.get("") ?? "";
  if (config.type === "lxc") return isMountPoint(key) && volume.includes(":") && !volume.startsWith("/") ? volume : undefined;
  if (!isDrive(key) || properties.get("backup") === "0") return undefined;
  const kind = driveKind(value);
  if (kind === "host-device") return isDumped(config, key) ? volume : undefined;
  if (kind !== "disk" || !volume.includes(":")) return undefined;
  return config.dumped.length === 0 || isDumped(config, key) ? volume : undefined;
}

/** Bytes that must be free before a restore of so many: PVE itself checks nothing and allows more than there is. */
const bytesWanted = (bytes: number) => Math.ceil(bytes * 1.1);

/** Less than this free after a restore means that it may have run full: then its `OK` says nothing about the copy. */
export const fullBelowBytes = 64 << 20;

/** A storage as `GET /nodes/{node}/storage/{storage}/status` says it. */
export type StorageState = { storage: string; active: boolean; availBytes: number; content: readonly string[] };

/** Where the disks may go, best first: what was asked for, else the node's own list, else where the backed-up disks lay. */
export function storageCandidates(
  asked: string | undefined,
  allowed: readonly string[],
  from: readonly string[],
): { storages: string[]; problem?: string } {
  if (asked !== undefined) {
    if (allowed.length === 0 || allowed.includes(asked)) return { storages: [asked] };
    return { storages: [], problem: `This node does not allow restore tests on the storage ${asked}` };
  }
  const storages = allowed.length > 0 ? [...allowed] : [...from];
  if (storages.length === 0) return { storages, problem: "No storage is known that may take the disks: name one" };
  return { storages };
}

/** Why a storage can't take them; undefined: it can. `othersBytes`: what other tests have still to write there. */
export function storageProblem(
  state: StorageState,
  type: "qemu" | "lxc",
  needBytes: number,
  othersBytes: number,
): string | undefined {
  const content = type === "qemu" ? "images" : "rootdir";
  if (!state.active) return `${state.storage} is not active on this node`;
  if (!state.content.includes(content))
    return `${state.storage} takes no ${type === "qemu" ? "disk images" : "container volumes"}`;
  const wanted = bytesWanted(needBytes);
  const others = bytesWanted(othersBytes);
  if (state.availBytes >= wanted + others) return undefined;
  const also = others === 0 ? "" : `, other tests ${gib(others)}`;
  return `${state.storage} has ${gib(state.availBytes)} free, the test needs ${gib(wanted)}${also}`;
}

export const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** MiB that the backed-up guest has. PVE's defaults are 512. */
export function ownMemoryMib(config: BackedUpConfig): number {
  const text = config.values.get("memory") ?? "512";
  const own = Number(parsePropertyString(text).get("current") ?? parsePropertyString(text).get("") ?? 512);
  return Number.isFinite(own) && own > 0 ? own : 512;
}

/** MiB of the test guest: the backup's own unless less is asked for, never more than the node allows. */
export const testMemoryMib = (config: BackedUpConfig, asked: number | undefined, most: number): number =>
  Math.max(16, Math.min(asked ?? ownMemoryMib(config), most));

/** `MemAvailable` of /proc/meminfo, MiB; undefined where it does not stand. */
export function availableMib(meminfo: string): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo);
  return match === null ? undefined : Math.floor(Number(match[1]) / 1024);
}

/** What a control group's processes hold themselves, in its `memory.stat` (cgroup v2: `anon` and `shmem`, bytes), MiB; 0 where neither stands. */
export function heldMib(memoryStat: string): number {
  const bytes = [...memoryStat.matchAll(/^(?:anon|shmem) (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
  return Math.floor(bytes / 2 ** 20);
}

/** Processors of `/proc/stat`, a line `cpu<n>` each; undefined where none stands. */
export function processorCount(stat: string): number | undefined {
  return stat.match(/^cpu\d+ /gm)?.length;
}

/** The first free number at or behind `from`, going round; undefined: none is left. */
export function freeVmid(
  range: { first: number; last: number },
  taken: ReadonlySet<number>,
  from = range.first,
): number | undefined {
  const size = range.last - range.first + 1;
  const offset = from < range.first || from > range.last ? 0 : from - range.first;
  for (let step = 0; step < Math.min(size, taken.size + 1); step++) {
    const vmid = range.first + ((offset + step) % size);
    if (!taken.has(vmid)) return vmid;
  }
  return undefined;
}
