/** What a test guest carries so that everybody can see whose it is. */
export const testTag = "proven-test";

/** The line of the description that names the operation; looked for exactly. */
export const markerLine = (operation: string) => `proven-test op=${operation}`;

/** The description of a test guest: what it is, in words for its admin, and the marker. */
export function describe(operation: string, source: { vmid: number; volid: string }): string {
  return [
    `Restore test of guest ${source.vmid}, made by Proven from ${source.volid}.`,
    "It is isolated, and removed when the test ends. Don't use it, don't take away its tag.",
    markerLine(operation),
  ].join("\n\n");
}

/** True when the description names that operation. PVE adds a newline at the end and keeps lines as they are. */
export function carriesMarker(description: string | undefined, operation: string): boolean {
  return (description ?? "").split("\n").some((line) => line.trim() === markerLine(operation));
}

/** PVE's tag lists: `a;b`, also with commas or blanks. pve-common `PVE/JSONSchema.pm` pve-tag-list. */
export function hasTestTag(tags: string | undefined): boolean {
  return (tags ?? "").split(/[;,\s]+/).includes(testTag);
}
