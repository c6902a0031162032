import { overridePool, overrideStorage } from "./override.ts";
import { between } from "./random.ts";
import type { StorageSpec } from "./spec.ts";
import { Wave } from "./wave.ts";
import type { LabNode, World } from "./world.ts";

export type StorageReading = { active: boolean; total: number; used: number; avail: number };

const waves = new Map<string, Wave>();
function waveOf(key: string): Wave {
  let wave = waves.get(key);
  if (wave === undefined) {
    wave = new Wave(key);
    waves.set(key, wave);
  }
  return wave;
}

/** Share of the space in use: grows over the year and breathes with the load. */
function usedShare(key: string, at: number): number {
  const years = Math.max(0, at - Date.UTC(2026, 0, 1)) / (365 * 86_400_000);
  const share = between(`${key} used`, 0.3, 0.6) + between(`${key} growth`, 0.05, 0.25) * years;
  return Math.min(0.97, share + 0.004 * waveOf(key).rate(at));
}

/** As a node's pvestatd sees it. A hanging or inactive storage has no numbers: zeros, as PVE writes then. */
export function readStorage(world: World, node: LabNode, storage: StorageSpec, at: number): StorageReading {
  const reading = plainStorage(world, node, storage, at);
  const overrides = world.overrides.get(storage.shared ? `storage/${storage.id}` : `storage/${node.spec.name}/${storage.id}`);
  if (overrides !== undefined && reading.active) overrideStorage(reading, overrides, at);
  return reading;
}

function plainStorage(world: World, node: LabNode, storage: StorageSpec, at: number): StorageReading {
  const fault = world.storageFaults.get(storage.id);
  if (fault !== undefined && fault.from <= at && fault.fault !== "slow") return { active: false, total: 0, used: 0, avail: 0 };
  if (storage.type === "dir") {
    const { rootTotal, rootUsed, rootAvail } = world.nodeReading(node, at);
    return { active: true, total: rootTotal, used: rootUsed, avail: rootAvail };
  }
  const key = storage.shared ? `${world.spec.seed} ${storage.id}` : `${world.spec.seed} ${node.spec.name} ${storage.id}`;
  const restored = world.volumes.used(storage.id, node.spec.name);
  const used = Math.min(storage.totalBytes, Math.round((storage.totalBytes * usedShare(key, at)) / 4096) * 4096 + restored);
  return { active: true, total: storage.totalBytes, used, avail: storage.totalBytes - used };
}

export type PoolReading = {
  size: number;
  allocated: number;
  free: number;
  fragmentation: number;
  health: string;
  readErrors: number;
  writeErrors: number;
  checksumErrors: number;
};

/** The pool `tank` of a node. */
export function readPool(world: World, node: LabNode, at: number): PoolReading {
  const key = `${world.spec.seed} ${node.spec.name} tank`;
  const size = node.spec.tankBytes;
  const allocated = Math.round((size * usedShare(key, at)) / 4096) * 4096;
  const health = world.zpoolHealth.get(node.spec.name) ?? "ONLINE";
  const reading = {
    size,
    allocated,
    free: size - allocated,
    fragmentation: Math.floor(between(`${key} frag`, 4, 30)) / 100,
    health,
    readErrors: 0,
    writeErrors: 0,
    checksumErrors: health === "ONLINE" ? 0 : 3,
  };
  overridePool(reading, world.overrides.get(`zpool/${node.spec.name}/tank`) ?? [], at);
  return reading;
}
