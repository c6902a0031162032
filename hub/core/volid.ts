/**
 * The guest whose backup a volid names; undefined: it names none. A Backup Server's snapshot is `backup/vm/100/<time>`, a file
 * `backup/vzdump-qemu-100-<time>.vma.zst` (`parse_volname` in pve-storage `PVE/Storage/PBSPlugin.pm` and `Plugin.pm`).
 */
export function volidGuest(volid: string): number | undefined {
  const match = /:backup\/(?:(?:vm|ct)\/([1-9][0-9]{2,8})\/|vzdump-(?:qemu|lxc|openvz)-([1-9][0-9]{2,8})-)/.exec(volid);
  const digits = match?.[1] ?? match?.[2];
  return digits === undefined ? undefined : Number(digits);
}
