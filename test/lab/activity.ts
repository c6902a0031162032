import type { Schedule } from "./clock.ts";
import { nightlyExclude, poolMembers } from "./config-files.ts";
import type { Operations } from "./operations.ts";
import { hash32, pick, unit } from "./random.ts";
import type { Tasks } from "./tasks.ts";
import type { Vzdump } from "./vzdump.ts";
import type { Guest, World } from "./world.ts";

/** Life without anybody doing anything: backups by night, office hours, now and then a reboot or a migration. Seeded: the same time, the same deed. */

type Parts = { world: World; schedule: Schedule; tasks: Tasks; operations: Operations; vzdump: Vzdump };

const minuteMs = 60_000;
const dayMs = 86_400_000;
const user = "root@pam";
const slotMinutes = 20;

/** What stands in the task lists from the day before. */
export function addPastTasks({ world, tasks }: Pick<Parts, "world" | "tasks">, now: number): void {
  const excluded = new Set(nightlyExclude(world.spec));
  for (const node of world.nodes.keys()) {
    const night = Math.floor((now - 21 * 3_600_000) / dayMs) * dayMs + 21 * 3_600_000;
    const guests = world.guestsNow().filter(({ home }) => home === node);
    const what = (type: string, id: string) => ({ node, type, id, user });
    const saved = guests.filter(({ life }) => !excluded.has(life.spec.vmid)).map(({ life }) => life.spec.vmid);
    tasks.addPast(what("aptupdate", ""), night - 17 * 3_600_000, night - 17 * 3_600_000 + 8000, "OK", [
      "starting apt-get update",
    ]);
    // One node's night before last had a failed guest.
    const broken = saved.length > 0 && unit(`${world.spec.seed} ${node} broken night`) < 0.4;
    const log = [
      "INFO: starting new backup job: vzdump --all 1 --mode snapshot --storage nfs1 --compress zstd",
      ...saved.map((vmid) => `INFO: Starting Backup of VM ${vmid}`),
      ...(broken
        ? [`ERROR: Backup of VM ${saved[0]} failed - got timeout`, "INFO: Backup job finished with errors"]
        : ["INFO: Backup job finished successfully"]),
    ];
    tasks.addPast(what("vzdump", ""), night, night + 22 * minuteMs, broken ? "job errors" : "OK", log);
    const office = guests.find(({ life }) => life.spec.habit === "office");
    if (office === undefined) continue;
    const kind = office.life.spec.type === "qemu" ? "qm" : "vz";
    const id = String(office.life.spec.vmid);
    const morning = Math.floor((now - 6 * 3_600_000) / dayMs) * dayMs + 6 * 3_600_000;
    const evening = morning + 14 * 3_600_000;
    tasks.addPast(what(`${kind}start`, id), morning - 1600, morning, "OK", []);
    if (evening < now) tasks.addPast(what(`${kind}shutdown`, id), evening - 1600, evening, "OK", []);
  }
}

/** Guests that nothing special is about: only these are rebooted and moved. */
const ordinary = (world: World): Guest[] =>
  world.guestsNow().filter((guest) => guest.life.spec.habit === "always" && guest.lock === undefined);

function nightly({ world, vzdump }: Parts, at: number): void {
  for (const node of world.nodes.values()) {
    if (world.isDown(node, at)) continue;
    vzdump.start(node.spec.name, { storage: "nfs1", mode: "snapshot", compress: "zstd" }, user);
  }
}

function weekly({ world, vzdump }: Parts, at: number): void {
  const vmids = poolMembers(world.spec, "prod");
  for (const node of world.nodes.values()) {
    if (world.isDown(node, at)) continue;
    vzdump.start(node.spec.name, { storage: "pbs1", mode: "snapshot", compress: "0", vmids }, user);
  }
}

/** The habit itself starts and stops the guest; PVE's lists show who did it. */
function officeHours({ world, tasks }: Parts, what: "start" | "shutdown"): void {
  for (const guest of world.guestsNow()) {
    const { habit, type, vmid } = guest.life.spec;
    if (habit !== "office" || guest.life.events.some((event) => event.what === "start" || event.what === "stop")) continue;
    tasks.start({ node: guest.home, type: `${type === "qemu" ? "qm" : "vz"}${what}`, id: String(vmid), user }, function* () {
      yield 1600;
      return undefined;
    });
  }
}

function nowAndThen({ world, tasks, operations }: Parts, at: number): void {
  const key = `${world.spec.seed} slot ${Math.floor(at / minuteMs / slotMinutes)}`;
  const guests = ordinary(world).filter((guest) => !world.isDown(world.node(guest.home), at));
  const chance = unit(key);
  if (guests.length === 0 || chance > 0.6) return;
  const guest = pick(`${key} guest`, guests);
  const { type, vmid } = guest.life.spec;
  if (chance < 0.3) {
    tasks.start({ node: guest.home, type: type === "qemu" ? "qmreboot" : "vzreboot", id: String(vmid), user }, function* () {
      yield 9000;
      operations.apply(guest, "start");
      return undefined;
    });
    return;
  }
  const targets = [...world.nodes.values()].filter((node) => node.spec.name !== guest.home && !world.isDown(node, at));
  if (targets.length > 0) operations.migrate(guest, pick(`${key} target`, targets).spec.name, user);
}

/** One guest migrates while the lab starts, slowly enough to be looked at. */
export function startFirstMigration({ world, operations }: Parts, at: number): void {
  const guest = world.guestsNow().find(({ life }) => life.spec.vmid === 114) ?? ordinary(world)[0];
  const target = [...world.nodes.values()].find((node) => node.spec.name !== guest?.home && !world.isDown(node, at));
  if (guest !== undefined && target !== undefined) operations.migrate(guest, target.spec.name, user, 10 * minuteMs);
}

export function startActivity(parts: Parts): void {
  const jitter = hash32(parts.world.spec.seed) % slotMinutes;
  parts.schedule.every(minuteMs, 0, (at) => {
    const minute = Math.floor(at / minuteMs) % (24 * 60);
    if (minute === 21 * 60) nightly(parts, at);
    if (minute === 2 * 60 + 30 && new Date(at).getUTCDay() === 0) weekly(parts, at);
    if (minute === 6 * 60) officeHours(parts, "start");
    if (minute === 20 * 60) officeHours(parts, "shutdown");
    if (minute % slotMinutes === jitter) nowAndThen(parts, at);
  });
}
