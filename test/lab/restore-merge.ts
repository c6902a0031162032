import {
  type GuestFile,
  isNet,
  isVolumeKey,
  parseGuestFile,
  printGuestFile,
  propertiesOf,
  sizeText,
  volumeIn,
} from "./guest-file.ts";

/** How PVE makes the configuration of a restored guest from the backup's and the call's: as recorded, key by key. */
export type Merge = {
  /** Text of the archive's configuration. */
  archived: string;
  /** The call's parameters that belong into the configuration. */
  overrides: Readonly<Record<string, string>>;
  unique: boolean;
  /** New volumes of the drives and mount points that the archive holds, by key. */
  volumes: ReadonlyMap<string, { volid: string; sizeBytes: number }>;
  newMac(net: string): string;
  newUuid(what: string): string;
};

const macOfModel = /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i;

/** `virtio,bridge=x,link_down=1` as PVE stores it: model with its MAC first, the rest in the order of the alphabet. */
function vmNet(value: string, mac: () => string, renew: boolean): string {
  const parts = propertiesOf(value);
  const named = parts.find(([key]) => key === "model" || key === "")?.[1];
  const withMac = parts.find(([, one]) => macOfModel.test(one));
  const model = named ?? withMac?.[0] ?? "virtio";
  const kept = renew ? undefined : withMac?.[1];
  const rest = parts.filter(([key, one]) => key !== "" && key !== "model" && key !== "macaddr" && !macOfModel.test(one));
  const sorted = rest.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => `${key}=${one}`);
  return [`${model}=${kept ?? mac()}`, ...sorted].join(",");
}

function containerNet(value: string, mac: () => string, renew: boolean): string {
  const parts = new Map(propertiesOf(value));
  if (renew || !parts.has("hwaddr")) parts.set("hwaddr", mac());
  if (!parts.has("type")) parts.set("type", "veth");
  const name = parts.get("name") ?? "eth0";
  parts.delete("name");
  const sorted = [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => `${key}=${one}`);
  return [`name=${name}`, ...sorted].join(",");
}

/** The network card of a call, as PVE writes it into the file. */
export const storedNet = (type: "qemu" | "lxc", value: string, mac: () => string) =>
  type === "qemu" ? vmNet(value, mac, false) : containerNet(value, mac, false);

function withVolume(value: string, volid: string, sizeBytes: number): string {
  const rest = propertiesOf(value)
    .filter(([key]) => !["", "file", "volume", "size"].includes(key))
    .map(([key, one]) => `${key}=${one}`);
  return [volid, ...rest, `size=${sizeText(sizeBytes)}`].join(",");
}

export const isCloudInit = (value: string) => /cloudinit(\.\w+)?$/.test(volumeIn(value));

/** What isn't in the backup (`backup=0`, a disk of the host) becomes text of the description. */
function vmDrive(key: string, value: string, merge: Merge): { kept: string } | { comment: string } {
  const volume = merge.volumes.get(key);
  if (volume !== undefined) {
    const cloudInit = isCloudInit(value);
    return { kept: cloudInit ? `${volume.volid},media=cdrom` : withVolume(value, volume.volid, volume.sizeBytes) };
  }
  return /(^|,)media=cdrom(,|$)/.test(value) ? { kept: value } : { comment: `${key}: ${value}` };
}

/** Overrides win with and without `unique`; `unique` renews MACs and the SMBIOS uuid, vmgenid is new in both cases. */
export function mergeVm(merge: Merge): string {
  const archived = parseGuestFile(merge.archived);
  const values = new Map<string, string>();
  const comments = archived.description === undefined ? [] : [archived.description];
  for (const [key, value] of archived.values) {
    if (key === "lock" || key === "parent" || /^unused\d+$/.test(key)) continue;
    if (isVolumeKey("qemu", key)) {
      const drive = vmDrive(key, value, merge);
      if ("kept" in drive) values.set(key, drive.kept);
      else comments.push(drive.comment);
    } else if (isNet(key))
      values.set(
        key,
        vmNet(value, () => merge.newMac(key), merge.unique),
      );
    else if (key === "smbios1" && merge.unique) values.set(key, value.replace(/uuid=[^,]+/, `uuid=${merge.newUuid("smbios")}`));
    else if (key === "vmgenid") values.set(key, merge.newUuid("vmgenid"));
    else values.set(key, value);
  }
  let description = comments.length === 0 ? undefined : comments.join("\n");
  for (const [key, value] of Object.entries(merge.overrides)) {
    if (key === "description") description = value;
    else values.set(key, isNet(key) ? vmNet(value, () => merge.newMac(key), false) : value);
  }
  return printGuestFile({ description, values, raw: [] });
}

/**
 * With `unique` every `netN` of the call is dropped without a word and those of the backup get new MACs. With a `rootfs` in the call no mount
 * point comes back.
 */
export function mergeContainer(merge: Merge): string {
  const archived = parseGuestFile(merge.archived);
  const ownRoot = merge.overrides.rootfs !== undefined;
  const values = new Map<string, string>();
  for (const [key, value] of archived.values) {
    const volume = merge.volumes.get(key);
    if (key === "lock" || key === "parent" || /^unused\d+$/.test(key)) continue;
    if (isVolumeKey("lxc", key)) {
      if (volume !== undefined) values.set(key, withVolume(value, volume.volid, volume.sizeBytes));
      else if (!ownRoot && value.startsWith("/")) values.set(key, value);
    } else values.set(key, isNet(key) && merge.unique ? containerNet(value, () => merge.newMac(key), true) : value);
  }
  let { description } = archived;
  for (const [key, value] of Object.entries(merge.overrides)) {
    if (key === "description") description = value;
    else if (isNet(key)) {
      if (!merge.unique)
        values.set(
          key,
          containerNet(value, () => merge.newMac(key), false),
        );
    } else if (!isVolumeKey("lxc", key)) values.set(key, value);
  }
  const file: GuestFile = { description, values, raw: archived.raw };
  return printGuestFile(file);
}
