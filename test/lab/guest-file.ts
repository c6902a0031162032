/**
 * A guest's configuration file as PVE writes it: the description as comments, keys sorted, raw `lxc.*` lines last. qemu-server
 * PVE/QemuServer.pm write_vm_config, pve-container PVE/LXC/Config.pm write_pct_config. Sections of snapshots are not kept.
 */
export type GuestFile = {
  /** Without a newline at its end; undefined: none. */
  description: string | undefined;
  values: Map<string, string>;
  raw: [key: string, value: string][];
};

/** pve-common PVE/Tools.pm encode_text and decode_text: control characters, `%` and `:` of one line. */
const encodeLine = (line: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
  line.replace(/[\x00-\x1f\x7f%:]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
const decodeLine = (line: string) =>
  line.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

export function parseGuestFile(text: string): GuestFile {
  const comments: string[] = [];
  const values = new Map<string, string>();
  const raw: [string, string][] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("[")) break;
    if (line.startsWith("#qmdump#")) continue;
    if (line.startsWith("#")) comments.push(decodeLine(line.slice(1)));
    const pair = /^([A-Za-z][A-Za-z0-9_.-]*)\s*[:=]\s*(.*?)\s*$/.exec(line);
    if (pair === null) continue;
    const [, key = "", value = ""] = pair;
    if (key.startsWith("lxc.")) raw.push([key, value]);
    else values.set(key, value);
  }
  return { description: comments.length === 0 ? undefined : comments.join("\n"), values, raw };
}

export function printGuestFile({ description, values, raw }: GuestFile): string {
  const comments = description === undefined ? [] : description.replace(/\n$/, "").split("\n");
  const lines = [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}: ${value}`);
  const all = [...comments.map((line) => `#${encodeLine(line)}`), ...lines, ...raw.map(([key, value]) => `${key}: ${value}`)];
  return all.map((line) => `${line}\n`).join("");
}

/** The same file with another lock, or without one. */
export function withLock(text: string, lock: string | undefined): string {
  const file = parseGuestFile(text);
  if (lock === undefined) file.values.delete("lock");
  else file.values.set("lock", lock);
  return printGuestFile(file);
}

const isDrive = (key: string) => /^(ide|sata|scsi|virtio|efidisk|tpmstate)\d+$/.test(key);
const isMountPoint = (key: string) => key === "rootfs" || /^mp\d+$/.test(key);
export const isNet = (key: string) => /^net\d+$/.test(key);
export const isVolumeKey = (type: "qemu" | "lxc", key: string) => (type === "qemu" ? isDrive(key) : isMountPoint(key));

/** `a=b,c` as pairs in their order; a part without `=` has the key "". */
export const propertiesOf = (value: string): [key: string, value: string][] =>
  value
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      return equals < 0 ? ["", part] : [part.slice(0, equals), part.slice(equals + 1)];
    });

/** The volume or path that a drive or mount point names. */
export function volumeIn(value: string): string {
  const parts = new Map(propertiesOf(value));
  return parts.get("file") ?? parts.get("volume") ?? parts.get("") ?? "";
}

/** `512`, `4M`, `1G` in bytes; undefined: no size. */
export function sizeIn(value: string): number | undefined {
  const match = /(?:^|,)size=(\d+(?:\.\d+)?)([KMGT]?)(?:,|$)/.exec(value);
  return match === null ? undefined : Number(match[1]) * 1024 ** ["", "K", "M", "G", "T"].indexOf(match[2] ?? "");
}

/** As PVE prints sizes: the largest unit that divides it (pve-common PVE/JSONSchema.pm format_size). */
export function sizeText(bytes: number): string {
  const units = ["", "K", "M", "G", "T"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && size % 1024 === 0 && unit < 4) {
    size /= 1024;
    unit++;
  }
  return `${size}${units[unit]}`;
}

/** The isolated or production bridge and MAC of a network card; `up`: its link is not held down. */
export function netIn(value: string): {
  bridge: string | undefined;
  mac: string | undefined;
  up: boolean;
  name: string | undefined;
} {
  const parts = new Map(propertiesOf(value));
  const mac =
    parts.get("hwaddr") ?? parts.get("macaddr") ?? [...parts.values()].find((one) => /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i.test(one));
  return { bridge: parts.get("bridge"), mac, up: parts.get("link_down") !== "1", name: parts.get("name") };
}
