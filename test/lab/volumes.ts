import { hash32 } from "./random.ts";
import type { StorageSpec } from "./spec.ts";

/** A volume that a restore made. `node`: where it lies; undefined: on shared storage. */
export type Volume = {
  readonly volid: string;
  readonly storage: string;
  readonly node: string | undefined;
  readonly vmid: number;
  readonly format: "raw" | "qcow2" | "subvol";
  readonly sizeBytes: number;
  readonly createdAt: number;
  /** What it takes of the storage: they are all thin. */
  usedBytes: number;
  /** Its bytes are not those of the backup. */
  damage?: "different" | "incomplete";
};

export type NewVolume = { storage: StorageSpec; node: string; vmid: number; type: "qemu" | "lxc"; sizeBytes: number; at: number };

/** Volumes beside those of the guests in the specification. Names as the storages' plugins give them (pve-storage, PVE/Storage/*Plugin.pm). */
export class Volumes {
  private readonly all = new Map<string, Volume>();

  /** `name` cloudinit: a cloud-init drive. */
  allocate({ storage, node, vmid, type, sizeBytes, at }: NewVolume, name: "disk" | "cloudinit" = "disk"): Volume {
    const file = storage.type === "dir" || storage.type === "nfs";
    const format = type === "lxc" ? (storage.type === "zfspool" ? "subvol" : "raw") : file ? "qcow2" : "raw";
    const word = format === "subvol" ? "subvol" : "vm";
    const volid = (number: number) => {
      const base = `${word}-${vmid}-${name === "cloudinit" ? "cloudinit" : `disk-${number}`}`;
      return file ? `${storage.id}:${vmid}/${base}.${format}` : `${storage.id}:${base}`;
    };
    let number = 0;
    while (name === "disk" && this.find(volid(number), node) !== undefined) number++;
    const home = storage.shared ? undefined : node;
    const volume: Volume = {
      volid: volid(number),
      storage: storage.id,
      node: home,
      vmid,
      format,
      sizeBytes,
      createdAt: at,
      usedBytes: 0,
    };
    this.all.set(this.key(volume.volid, home), volume);
    return volume;
  }

  find(volid: string, node: string): Volume | undefined {
    return this.all.get(this.key(volid, node)) ?? this.all.get(this.key(volid, undefined));
  }

  remove(volume: Volume): void {
    this.all.delete(this.key(volume.volid, volume.node));
  }

  /** Everything that carries this number, wherever it lies within reach of the node. */
  of(vmid: number, node: string): Volume[] {
    return [...this.all.values()].filter((one) => one.vmid === vmid && (one.node ?? node) === node);
  }

  on(storage: string, node: string): Volume[] {
    return [...this.all.values()].filter((one) => one.storage === storage && (one.node ?? node) === node);
  }

  list(): Volume[] {
    return [...this.all.values()];
  }

  used(storage: string, node: string): number {
    if (this.all.size === 0) return 0;
    return this.on(storage, node).reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  }

  private key(volid: string, node: string | undefined): string {
    return `${node ?? ""} ${volid}`;
  }
}

/** Where a volume of a directory lies on the node; block storages have device paths. */
export function pathOf({ volid, storage, format }: Volume): string {
  const name = volid.slice(volid.indexOf(":") + 1);
  if (storage === "nfs1") return `/mnt/pve/nfs1/images/${name}`;
  if (format === "subvol") return `/tank/${name}`;
  return storage === "local-zfs" ? `/dev/zvol/tank/${name}` : `/dev/pve/${name}`;
}

/** Real bytes in a disk: a share that belongs to its guest, so that restoring it twice needs the same. */
export const dataBytes = (key: string, sizeBytes: number) => Math.floor((sizeBytes * (20 + (hash32(key) % 30))) / 100);
