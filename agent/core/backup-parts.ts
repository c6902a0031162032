import type { Backup, Backups } from "#protocol/backups.ts";
import { encodeUtf8 } from "#protocol/utf8.ts";

/** All that is known of the backups of one storage and namespace. */
export type BackupSet = Omit<Backups, "part" | "parts">;

const partMaxBackups = 1000;
const partsMax = 1000;

/** The set as messages of at most `maxBytes` of backups each; at least one, for a set without backups says that there are none. */
export function splitBackups({ backups, ...set }: BackupSet, maxBytes: number): Backups[] {
  const groups: Backup[][] = [[]];
  let bytes = 0;
  for (const backup of backups) {
    const size = encodeUtf8(JSON.stringify(backup)).length;
    const group = groups.at(-1) as Backup[];
    if (group.length > 0 && (bytes + size > maxBytes || group.length === partMaxBackups)) {
      groups.push([backup]);
      bytes = size;
    } else {
      group.push(backup);
      bytes += size;
    }
  }
  const told = groups.slice(0, partsMax);
  return told.map((group, index) => ({ ...set, part: index + 1, parts: told.length, backups: group }));
}
