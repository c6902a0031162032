import type { TaskView } from "#protocol/api.ts";
import type { Translate } from "./text.ts";

/** What Proxmox VE's tasks do, by their type without `qm` or `vz` in front: a worker's type is the first part of its UPID after the times. */
const ofGuests = (t: Translate): Record<string, string> => ({
  start: t("Start"),
  stop: t("Stop"),
  shutdown: t("Shut down"),
  reboot: t("Reboot"),
  reset: t("Reset"),
  suspend: t("Suspend"),
  resume: t("Resume"),
  create: t("Create"),
  destroy: t("Remove"),
  restore: t("Restore"),
  clone: t("Clone"),
  migrate: t("Migrate"),
  snapshot: t("Take a snapshot"),
  rollback: t("Roll back to a snapshot"),
  delsnapshot: t("Remove a snapshot"),
  template: t("Make a template"),
  move: t("Move a disk"),
});

const ofOthers = (t: Translate): Record<string, string> => ({
  vzdump: t("Backup"),
  qmigrate: t("Migrate"),
  move_volume: t("Move a disk"),
  resize: t("Resize a disk"),
  aptupdate: t("Read package lists"),
  startall: t("Start all guests"),
  stopall: t("Shut down all guests"),
  suspendall: t("Suspend all guests"),
  migrateall: t("Migrate all guests"),
  imgcopy: t("Copy a volume"),
  imgdel: t("Remove a volume"),
  download: t("Download"),
  vncproxy: t("Console"),
  vncshell: t("Console"),
  termproxy: t("Console"),
  spiceproxy: t("Console"),
});

/** A task in words, with what it is about; a type that nobody has words for stays as Proxmox VE calls it. */
export function taskWords({ type, id }: Pick<TaskView, "type" | "id">, t: Translate): string {
  const guest = /^(?:qm|vz)(\w+)$/.exec(type)?.[1] ?? "";
  const [others, guests] = [ofOthers(t), ofGuests(t)];
  const words = Object.hasOwn(others, type) ? others[type] : Object.hasOwn(guests, guest) ? guests[guest] : undefined;
  return `${words ?? type}${id === "" ? "" : ` ${id}`}`;
}
