import type { Condition, Recurrence, Severity } from "#protocol/alerting.ts";
import type { EntityKey, Vmid } from "#protocol/ids.ts";
import { entityKind } from "#protocol/ids.ts";
import type { GuestFacts } from "#protocol/inventory.ts";
import { defaultReceiver, defaultRoute, defaultRules } from "../../hub/core/default-rules.ts";
import { signalOf } from "../../hub/core/signals.ts";
import { edits } from "./edits.ts";
import { guestSteps, lock } from "./guest-steps.ts";
import { after, durationMs, option, type Words } from "./words.ts";
import type { World } from "./world.ts";

/** What scenarios say, a line each; see test/scenario/README.md. */

const by = { actor: "scenario", reason: "scenario" };
/** What one command does. */
export type Command = (world: Scene, words: Words, line: string) => Promise<void> | void;

/** A world, and what is to happen in it later by itself. */
export type Scene = { world: World; later: { at: number; run(): void }[]; log(line: string): void };

/** Small steps where little time passes, larger ones through days. */
const stepFor = (ms: number) => (ms <= 1_800_000 ? 1000 : ms <= 12 * 3_600_000 ? 5000 : 20_000);

async function wait({ world, later }: Scene, ms: number): Promise<void> {
  const end = world.monotonic + ms;
  const step = stepFor(ms);
  while (world.monotonic < end) {
    await world.step(Math.min(step, end - world.monotonic));
    for (let due = later.find(({ at }) => at <= world.wall); due !== undefined; due = later.find(({ at }) => at <= world.wall)) {
      later.splice(later.indexOf(due), 1);
      due.run();
    }
  }
}

function nodeOf({ world }: Scene, name: string | undefined) {
  const node = world.nodes.get(name ?? "");
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

function recordOf({ world }: Scene, rule: string | undefined, entity: string | undefined) {
  const records = [...world.loop.book.records.values()];
  const found = records.find((record) => record.rule === rule && record.subject.entity === entity);
  if (found === undefined) throw new Error(`no alert ${rule} of ${entity}`);
  return found;
}

function recurrence(world: World, line: string): Recurrence {
  const [, calendar, duration, timezone] = /"([^"]+)" for (\S+)(?: in (\S+))?/.exec(line) ?? [];
  if (calendar === undefined) throw new Error(`write: "calendar" for 2h`);
  return { calendar, timezone: timezone ?? world.timezone, durationSec: durationMs(duration) / 1000 };
}

const setup: Record<string, Command> = {
  nodes: ({ world }, names) => {
    const node = {
      timezone: undefined,
      up: true,
      agentUp: true,
      revoked: false,
      bootedAt: world.wall - 30 * 86_400_000,
      skewMs: 0,
      measuredSkewMs: 0,
    };
    for (const name of names) world.nodes.set(name, { ...node, measuredAt: 0, version: "pve-manager/9.2.11/14a22df35955d97d" });
  },
  /** `guest 100 web on pve1 onboot tags=prod.web pool=shop storages=nfs1` */
  guest: ({ world }, words) => {
    const [vmid, name = ""] = words;
    const list = (text: string | undefined) => (text === undefined ? [] : text.split(","));
    const pool = option(words, "pool");
    const facts: GuestFacts = {
      vmid: Number(vmid) as Vmid,
      type: words.includes("lxc") ? "lxc" : "qemu",
      name,
      identity: [],
      template: words.includes("template"),
      tags: list(option(words, "tags")),
      onboot: words.includes("onboot"),
      configured: true,
      storages: list(option(words, "storages")),
      ...(pool === undefined ? {} : { pool }),
    };
    const node = after(words, "on") ?? "pve1";
    const known = world.guests.get(facts.vmid);
    const incarnation = (known?.incarnation ?? 0) + 1;
    world.guests.set(facts.vmid, {
      facts,
      node,
      status: facts.template ? "stopped" : "running",
      incarnation,
      claimedAt: world.wall,
    });
  },
  /** `guests 200..239 on pve1,pve2 onboot` */
  guests: (scene, words, line) => {
    const [from = 0, to = 0] = (words[0] ?? "").split("..").map(Number);
    const nodes = (after(words, "on") ?? "").split(",");
    for (let vmid = from; vmid <= to; vmid++) {
      const rest = words.slice(1).filter((word) => word !== "on" && word !== nodes.join(","));
      setup.guest?.(scene, [String(vmid), `g${vmid}`, "on", nodes[vmid % nodes.length] ?? "pve1", ...rest], line);
    }
  },
  /** `clusters acme beta`: others that the same hub watches. */
  clusters: ({ world }, names) => {
    world.others.push(...names);
  },
  storage: ({ world }, [storage = "", type = "nfs", ...rest]) => {
    const shared = !rest.includes("local");
    const others = world.storages.filter((other) => other.storage !== storage);
    const facts = { storage, type, shared, content: ["images"], enabled: !rest.includes("disabled"), nodes: [] };
    world.storages.splice(0, world.storages.length, ...others, facts);
  },
  job: ({ world }, [id = "", ...words], line) => {
    const [, schedule = "21:00"] = /"([^"]+)"/.exec(line) ?? [];
    const mode = words.includes("stop") ? "stop" : "snapshot";
    const vmids = option(words, "vmids")?.split(",").map(Number);
    const guests = { all: vmids === undefined, vmids: vmids ?? [], exclude: [] };
    const job = { id, type: "vzdump", enabled: true, schedule, mode, ...guests, repeatMissed: false };
    const others = world.jobs.filter((other) => other.id !== id);
    world.jobs.splice(0, world.jobs.length, ...others, job);
  },
  /** `timezone Europe/Rome`: the hub's · `timezone Asia/Tokyo of pve1,pve2` */
  timezone: (scene, [timezone = "UTC", , nodes]) => {
    if (nodes === undefined) scene.world.timezone = timezone;
    else for (const name of nodes.split(",")) nodeOf(scene, name).timezone = timezone;
  },
  /** Who hears of alerts, and the shipped rules with their route. */
  receivers: ({ world }, ids) => {
    for (const rule of defaultRules) world.state.put("rule", rule.id, rule, by);
    for (const id of ids) world.state.put("receiver", id, { ...defaultReceiver, id, name: id }, by);
    world.state.put("route", defaultRoute.id, { ...defaultRoute, receivers: [ids[0] ?? "ops"] }, by);
    world.loop.reload();
  },
};

const decisions: Record<string, Command> = {
  /** `rule hot node cpu above 0.9 clear 0.8 for 5m critical` */
  rule: ({ world }, words) => {
    const [id = "", entity = "node", signal = "", direction = "above", trigger, ...rest] = words;
    const severity = (["info", "warning", "critical"] as const).find((word) => rest.includes(word)) ?? ("warning" as Severity);
    const condition: Condition =
      direction === "is"
        ? { kind: "state", signal, is: [trigger ?? ""] }
        : direction === "absent"
          ? { kind: "absence", signal, absentSec: durationMs(trigger) / 1000 }
          : {
              kind: "threshold",
              signal,
              direction: direction === "below" ? "below" : "above",
              trigger: Number(trigger),
              clear: Number(after(rest, "clear") ?? trigger),
            };
    const forSec = rest.includes("for") ? durationMs(after(rest, "for")) / 1000 : 0;
    const inhibits = rest.includes("inhibits");
    const base = { clearForSec: 0, overrides: [], shipped: false, enabled: true, scope: {} };
    const kind = entity as "node";
    world.state.put("rule", id, { ...base, id, name: id, severity, entity: kind, condition, forSec, inhibits }, by);
    world.loop.reload();
  },
  disable: ({ world }, [id = ""]) => {
    world.state.update("rule", id, by, (rule) => rule && { ...rule, enabled: false });
    world.loop.reload();
  },
  /** `route repeat 4h` · `route wait 30s` · `route interval 0s` · `route escalate 30m to boss` · `route by cluster` · `route off` */
  route: ({ world }, [what, value, , to]) => {
    world.state.update("route", defaultRoute.id, by, (route) => {
      if (route === undefined) return undefined;
      if (what === "off") return { ...route, enabled: false };
      const sec = what === "by" ? 0 : durationMs(value) / 1000;
      if (what === "repeat") return { ...route, repeatSec: sec };
      if (what === "wait") return { ...route, groupWaitSec: sec };
      if (what === "interval") return { ...route, groupIntervalSec: sec };
      if (what === "by") return { ...route, groupBy: (value ?? "").split(",") as typeof route.groupBy };
      return { ...route, escalation: [...route.escalation, { afterSec: sec, receivers: [to ?? "boss"] }] };
    });
    world.loop.reload();
  },
  /** `quiet "22:00" for 9h in Europe/Rome` */
  quiet: ({ world }, _, line) => {
    const quietHours = { times: recurrence(world, line), upTo: "warning" as const };
    world.state.update("route", defaultRoute.id, by, (route) => route && { ...route, quietHours });
    world.loop.reload();
  },
  /** `window "sun 2:00" for 3h in Europe/Rome nodes=pve1` */
  window: ({ world }, words, line) => {
    const nodes = option(words, "nodes");
    const id = option(words, "id") ?? "maintenance";
    const scope = nodes === undefined ? {} : { nodes: nodes.split(",") };
    const window = {
      id,
      name: id,
      enabled: true,
      scope,
      once: null,
      recurrence: recurrence(world, line),
      adjusted: null,
      comment: "",
    };
    world.state.put("window", id, window, by);
    world.loop.reload();
  },
  /** `ack guest-down guest/100` */
  ack: (scene, [rule, entity, , duration]) => {
    const record = recordOf(scene, rule, entity);
    const until = duration === undefined ? null : scene.world.wall + durationMs(duration);
    scene.world.loop.acknowledge(record.id, { by: "admin", at: scene.world.wall, until, note: null }, by);
  },
};

const happenings: Record<string, Command> = {
  node: (scene, [name, what]) => {
    const node = nodeOf(scene, name);
    const { trueTime } = scene.world;
    if (what === "dies") node.up = false;
    else if (what === "returns") Object.assign(node, { up: true, bootedAt: trueTime });
    // Its link was gone, it did not boot.
    else if (what === "joins") node.up = true;
    else if (what === "upgraded") node.version = `${node.version}+1`;
    else if (what === "maintenance") scene.world.maintenance.add(name ?? "");
    else if (what === "ready") scene.world.maintenance.delete(name ?? "");
    else throw new Error(`node … ${what}?`);
  },
  agent: (scene, [name, what]) => {
    const node = nodeOf(scene, name);
    if (what === "revoked") Object.assign(node, { agentUp: false, revoked: true });
    else node.agentUp = what === "returns";
  },
  guest: (scene, words, line) => {
    const [vmid, what, , target = ""] = words;
    const { world } = scene;
    if (world.guests.get(Number(vmid)) === undefined || what === undefined || !(what in guestSteps)) {
      setup.guest?.(scene, words, line);
      return;
    }
    guestSteps[what]?.(world, Number(vmid), target);
  },
  task: ({ world }, [node = "", type = "", id = "", state = "ok"]) => {
    world.task(node, type, id === "-" ? "" : id, state as "ok");
  },
  /** `ends pve1 ok`: the newest task that runs there. */
  ends: ({ world }, [node = "", state = "ok"]) => world.endTask(node, state as "ok"),
  /** `value node/pve1 cpu 0.97` · `value storage/nfs1 active 0 by pve1` · `value zpool/pve1/tank health DEGRADED`, or `gone` */
  value: ({ world }, words) => {
    const [entity = "", metric = "", value] = words;
    const key = entity as EntityKey;
    const kind = entityKind(key);
    const sender =
      after(words, "by") ?? (["node", "zpool", "disk", "thinpool"].includes(kind) ? (entity.split("/")[1] ?? "") : "pve1");
    if (value === "gone") world.values.delete(`${entity} ${metric} ${option(words, "of") ?? ""}`);
    else {
      const word = signalOf(kind, metric)?.values?.indexOf(value ?? "") ?? -1;
      world.set(key, metric, word < 0 ? Number(value) : word, sender, option(words, "of"));
    }
  },
  quorum: ({ world }, [what]) => {
    world.quorate = what === "back";
  },
  store: ({ world }, [what]) => {
    world.refusing = what === "refuses";
  },
  /** `nightly 21:00 for 7d`: each night every guest is locked for two minutes and backed up, node by node at the same time. */
  nightly: (scene, [time = "21:00", , span]) => {
    const { world, later } = scene;
    const [hour = 0, minute = 0] = time.split(":").map(Number);
    const first = new Date(world.wall).setUTCHours(hour, minute, 0, 0);
    for (let at = first; at < world.wall + durationMs(span); at += 86_400_000) {
      for (const node of world.nodes.keys()) later.push({ at, run: () => backUp(scene, node) });
    }
  },
  clock: ({ world }, [by]) => {
    const [, sign, duration] = /^([+-])(\S+)$/.exec(by ?? "") ?? [];
    world.wall += (sign === "-" ? -1 : 1) * durationMs(duration);
  },
  skew: (scene, [name, by]) => {
    nodeOf(scene, name).skewMs = by?.startsWith("-") ? -durationMs(by.slice(1)) : durationMs(by);
  },
  restart: ({ world }) => world.restart(),
  /** `hub dies` · `hub returns`: its machine, with all that it had in memory. */
  hub: ({ world }, [what]) => {
    world.hubDown = what === "dies";
    return world.restart();
  },
  /** At its next message: `kill while sending` (before it is durable) · `recording` (durable, not sent) · `delivering` · `noting` (arrived). */
  kill: ({ world }, [, when]) => {
    if (when === "delivering" || when === "noting") world.deliveries.killAt = when;
    else world.crash = when === "sending" ? "before" : "after";
  },
  /** `receiver ops fails` · `receiver ops answers` · `receiver ops off` · `receiver ops on` */
  receiver: ({ world }, [id = "", what]) => {
    if (what === "off" || what === "on") {
      world.state.update("receiver", id, by, (receiver) => receiver && { ...receiver, enabled: what === "on" });
      world.loop.reload();
      world.deliveries.dispatcher.receiverChanged(id);
    } else if (what === "fails") world.receivers.down.add(id);
    else world.receivers.down.delete(id);
  },
  wait: (scene, [duration]) => wait(scene, durationMs(duration)),
  /** `until 2026-03-29T01:00:00Z` */
  until: (scene, [instant = ""]) => wait(scene, Date.parse(instant) - scene.world.wall),
};

function backUp({ world, later }: Scene, node: string): void {
  const started = world.task(node, "vzdump", "", "running");
  const own = [...world.guests.values()].filter((guest) => guest.node === node && !guest.facts.template);
  own.forEach(({ facts }, index) => {
    const at = world.wall + index * 120_000;
    later.push({ at, run: () => lock(world, facts.vmid, "backup") });
    later.push({ at: at + 110_000, run: () => lock(world, facts.vmid, undefined) });
  });
  const endedAt = world.wall + own.length * 120_000;
  later.push({ at: endedAt, run: () => world.note({ ...started, state: "ok", endedAt, status: "OK" }) });
}

const outputs: Record<string, Command> = {
  /** Every alert that is not quiet. */
  alerts: ({ world, log }) => {
    const views = world.loop.views().sort((a, b) => (a.id < b.id ? -1 : 1));
    if (views.length === 0) log("  no alerts");
    for (const { rule, entity, instance, state, disposition, suppressedBy, node, flapping } of views) {
      const where = node === null || entity.startsWith("node/") ? "" : ` on ${node}`;
      const why = suppressedBy === null ? "" : ` (${suppressedBy.by}: ${suppressedBy.text})`;
      const about = instance === null ? entity : `${entity}!${instance}`;
      log(
        `  ${rule} ${about}${where}: ${state}${disposition === null ? "" : `, ${disposition}`}${why}${flapping ? ", flapping" : ""}`,
      );
    }
  },
  count: ({ world, log }) => log(`  ${world.sent.length} notifications so far`),
  /** What waits for receivers, and how often it was tried in vain. */
  queue: ({ world, log }) => {
    const waiting = world.state.list("delivery").filter(({ document }) => ["queued", "retrying"].includes(document.state));
    log(`  ${waiting.length} messages wait, ${world.receivers.failures} attempts failed so far`);
  },
};

export const commands: Record<string, Command> = { ...setup, ...decisions, ...edits, ...happenings, ...outputs };
/** Which lines show in the log: what happens, what people decide, and what is asked for. */
export function isShown(command: string, words: readonly string[]): boolean {
  if (command === "wait" || command === "until" || (command === "guest" && words.includes("on"))) return false;
  return command in happenings || command in decisions || command in edits || command in outputs;
}
