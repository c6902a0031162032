/**
 * Proxmox' property strings, `virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1`, as ordered pairs. A part without `=` belongs to the default key,
 * here the empty string (`vmstore:100/vm-100-disk-0.raw,size=1G`); a part of blanks is none. pve-common `PVE/JSONSchema.pm` parse_property_string.
 */
export type PropertyString = ReadonlyMap<string, string>;

export function parsePropertyString(text: string): PropertyString {
  const pairs = text.split(",").filter((part) => part.trim() !== "");
  return new Map(
    pairs.map((part) => {
      const equals = part.indexOf("=");
      return equals < 0 ? ["", part] : [part.slice(0, equals), part.slice(equals + 1)];
    }),
  );
}

/** The text of which parsePropertyString makes these pairs. */
export function printPropertyString(properties: Iterable<readonly [string, string]>): string {
  return [...properties].map(([key, value]) => (key === "" ? value : `${key}=${value}`)).join(",");
}
