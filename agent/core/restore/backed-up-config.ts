/** A guest's configuration as `GET /nodes/{node}/vzdump/extractconfig` gives it: text, the main section only. */
export type BackedUpConfig = {
  type: "qemu" | "lxc";
  /** In the file's order; of a key that comes twice the last one counts, as in PVE's parsers. */
  values: ReadonlyMap<string, string>;
  /** `lxc.*` lines of a container: may repeat. */
  raw: readonly { key: string; value: string }[];
  /** Size and storage of each virtual disk, from `#qmdump#map:` lines of a VM; empty for containers. */
  dumped: readonly { drive: string; storage: string; format: string }[];
  /** Lines that are none of these. */
  unreadable: readonly string[];
};

/**
 * qemu-server `PVE/QemuServer.pm` parse_vm_config, pve-container `PVE/LXC/Config.pm` parse_pct_config, and the map lines of
 * `PVE/VZDump/QemuServer.pm`. Sections of snapshots and pending changes are not in a backup; one that is there all the same ends the reading.
 */
export function parseBackedUpConfig(type: "qemu" | "lxc", text: string): BackedUpConfig {
  const values = new Map<string, string>();
  const raw: { key: string; value: string }[] = [];
  const dumped: { drive: string; storage: string; format: string }[] = [];
  const unreadable: string[] = [];
  for (const line of text.split("\n").map((each) => each.trimEnd())) {
    if (line.startsWith("[")) break;
    const map = /^#qmdump#map:([^:]*):[^:]*:([^:]*):([^:]*):$/.exec(line);
    if (map !== null) dumped.push({ drive: map[1] as string, storage: map[2] as string, format: map[3] as string });
    if (line === "" || line.startsWith("#")) continue;
    const pair = /^([A-Za-z][A-Za-z0-9_.-]*)\s*[:=]\s*(.*)$/.exec(line);
    if (pair === null) unreadable.push(line.slice(0, 200));
    else if (type === "lxc" && pair[1]?.startsWith("lxc.")) raw.push({ key: pair[1], value: pair[2] as string });
    else values.set(pair[1] as string, pair[2] as string);
  }
  return { type, values, raw, dumped, unreadable };
}

/** `128`, `512K`, `1G`, `2T` as bytes, in powers of 1024; undefined when it is no size. pve-common `PVE/JSONSchema.pm` parse_size. */
export function parseDiskSize(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text ?? "");
  if (match === null) return undefined;
  const power = { "": 0, K: 1, M: 2, G: 3, T: 4 }[match[2] as "" | "K" | "M" | "G" | "T"];
  return Math.ceil(Number(match[1]) * 1024 ** power);
}

/** The backup holds this drive's data, whatever it lay on: a disk of the node that was passed through is backed up like any other, without a storage. */
export const isDumped = ({ dumped }: Pick<BackedUpConfig, "dumped">, key: string): boolean =>
  dumped.some(({ drive }) => drive === key);

export const indexed = (word: string) => new RegExp(`^${word}\\d{1,3}$`);
export const isNet = (key: string) => indexed("net").test(key);
export const isDrive = (key: string) => /^(ide|sata|scsi|virtio|efidisk|tpmstate)\d{1,2}$/.test(key);
export const isMountPoint = (key: string) => key === "rootfs" || indexed("mp").test(key);
