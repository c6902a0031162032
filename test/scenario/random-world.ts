import assert from "node:assert/strict";
import type { Notification } from "#protocol/notifications.ts";
import { fc } from "../support/property.ts";
import { commands, type Scene } from "./commands.ts";
import { check } from "./invariants.ts";
import { World } from "./world.ts";

/** Random stories, as lines that a scenario could say: a counterexample can be put into a folder and played. */

const nodes = ["pve1", "pve2", "pve3"];
const vmids = [100, 101, 102];
const storages = ["nfs1", "nfs2"];
const beginning = [
  "nodes pve1 pve2 pve3",
  "storage nfs1 nfs",
  "storage nfs2 nfs",
  "guest 100 web on pve1 onboot tags=prod storages=nfs1",
  "guest 101 db on pve2 onboot storages=nfs2",
  "guest 102 mail on pve3 onboot lxc",
  "value storage/nfs1 active 1",
  "value storage/nfs2 active 1",
  "value storage/nfs1 total 1000",
  "value storage/nfs1 used 500",
  "receivers ops boss",
  "route escalate 20m to boss",
  'window "*:0/45" for 10m nodes=pve3',
];

const node = fc.constantFrom(...nodes);
const guest = fc.constantFrom(...vmids);
const line = (...parts: (string | fc.Arbitrary<unknown>)[]) =>
  fc.tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part))).map((words) => words.join(" "));

const happening = fc.oneof(
  {
    weight: 10,
    arbitrary: line(
      "wait",
      fc.integer({ min: 1, max: 240 }).map((steps) => `${steps * 5}s`),
    ),
  },
  { weight: 3, arbitrary: line("node", node, fc.constantFrom("dies", "returns", "joins")) },
  { weight: 2, arbitrary: line("agent", node, fc.constantFrom("leaves", "returns")) },
  { weight: 4, arbitrary: line("guest", guest, fc.constantFrom("stops", "starts", "halts")) },
  { weight: 1, arbitrary: line("guest", guest, "moves to", node) },
  {
    weight: 3,
    arbitrary: line(
      "value",
      fc.constantFrom(...storages).map((id) => `storage/${id} active`),
      fc.constantFrom(0, 1),
    ),
  },
  { weight: 2, arbitrary: line("value storage/nfs1 used", fc.constantFrom(500, 880, 970)) },
  { weight: 1, arbitrary: line("quorum", fc.constantFrom("lost", "back")) },
  { weight: 1, arbitrary: line("silence", fc.constantFrom("guest-down", "storage-down"), "for", fc.constantFrom("10m", "40m")) },
  {
    weight: 1,
    arbitrary: line(
      "snooze guest-down",
      guest.map((vmid) => `guest/${vmid}`),
      "for 15m",
    ),
  },
  {
    weight: 2,
    arbitrary: line(
      "ack guest-down",
      guest.map((vmid) => `guest/${vmid}`),
      fc.constantFrom("", "for 15m"),
    ),
  },
  { weight: 1, arbitrary: line("receiver ops", fc.constantFrom("fails", "answers")) },
  { weight: 1, arbitrary: fc.constantFrom("restart", "hub dies", "hub returns") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "override guest-down tag=prod critical",
      "threshold storage-full 0.9 clear 0.87",
      "threshold storage-full 0.8 clear 0.7",
      "narrow storage-full tag=gold",
      "narrow storage-full",
    ),
  },
  { weight: 1, arbitrary: line("kill while", fc.constantFrom("sending", "recording", "delivering", "noting")) },
  { weight: 1, arbitrary: line("clock", fc.constantFrom("+1h", "-1h", "+10m", "-10m")) },
  { weight: 1, arbitrary: line("skew", node, fc.constantFrom("1h", "-3600s", "0s")) },
);
export const stories = fc.array(happening, { minLength: 5, maxLength: 40 });

const stepMs = 5000;
/** A group's turn comes within a minute; what is decided in one pass is told in the next. */
const waitingMaxMs = 150_000;

/** A random story being told. */
export class Tale {
  readonly world = new World(Date.UTC(2026, 2, 2, 12));
  private readonly scene: Scene = { world: this.world, later: [], log: () => undefined };
  private readonly waitingSince = new Map<string, number>();

  async begin(): Promise<void> {
    for (const one of beginning) await this.say(one);
    await this.wait(120_000);
  }

  /** Acknowledging or snoozing what does not fire is refused, as it is to people. */
  async tell(line: string): Promise<void> {
    const span = /^wait (\d+)s$/.exec(line)?.[1];
    if (span !== undefined) await this.wait(Number(span) * 1000);
    else if (/^(ack|snooze) /.test(line)) await this.say(line).catch(() => undefined);
    else await this.say(line);
    check(this.world, line);
  }

  /** Everything is repaired, clocks are right, receivers answer. */
  async heal(): Promise<void> {
    const { world } = this;
    world.crash = undefined;
    world.deliveries.killAt = undefined;
    world.wall = world.trueTime;
    world.hubDown = false;
    const lines = nodes.flatMap((name) => [`node ${name} joins`, `agent ${name} returns`, `skew ${name} 0s`]);
    const values = storages.map((id) => `value storage/${id} active 1`);
    const guests = vmids.map((vmid) => `guest ${vmid} starts`);
    for (const one of [...lines, ...values, "value storage/nfs1 used 500", ...guests, "quorum back", "receiver ops answers"]) {
      await this.say(one);
    }
  }

  async wait(ms: number, by = stepMs): Promise<void> {
    for (let left = ms; left > 0; left -= by) {
      await this.world.step(Math.min(by, left));
      this.checkWaiting();
    }
  }

  /** Nothing is pending, open, or on its way, and whoever heard of trouble heard that it is over. */
  checkHealthy(): void {
    const { world } = this;
    assert.deepEqual(
      world.loop.views().map(({ id, state }) => `${id} ${state}`),
      [],
    );
    assert.deepEqual([...world.loop.book.groups.keys()], []);
    const open = world.state.list("delivery").filter(({ document }) => document.state !== "delivered");
    assert.deepEqual(
      open.map(({ id }) => id),
      [],
    );
    assert.deepEqual(stillOpen(world.sent), []);
    for (const { document } of world.state.list("alertHistory")) {
      for (const { receiver } of document.told) {
        const heard = world.sent.some((one) => one.receiver === receiver && one.alerts.some(({ id }) => id === document.id));
        assert.ok(heard, `${receiver} was to be told of ${document.id} and never was`);
      }
    }
  }

  private async say(line: string): Promise<void> {
    const [command = "", ...words] = line.split(/\s+/);
    const run = commands[command];
    if (run === undefined) throw new Error(`no command '${command}'`);
    await run(this.scene, words, line);
  }

  /** An alert that waits for its turn gets it. */
  private checkWaiting(): void {
    const { world } = this;
    if (world.hubDown) this.waitingSince.clear();
    const waiting = world.hubDown ? [] : world.loop.views().filter(({ disposition }) => disposition === "waiting");
    const ids = new Set(waiting.map(({ id }) => id));
    for (const id of this.waitingSince.keys()) if (!ids.has(id)) this.waitingSince.delete(id);
    for (const id of ids) {
      const since = this.waitingSince.get(id) ?? world.monotonic;
      this.waitingSince.set(id, since);
      assert.ok(world.monotonic - since <= waitingMaxMs, `${id} waits for its turn since ${world.monotonic - since} ms`);
    }
  }
}

/** `receiver alert` of what was told as firing and not as over. */
function stillOpen(sent: readonly Notification[]): string[] {
  const open = new Set<string>();
  for (const { receiver, alerts } of sent) {
    for (const { id, state } of [...alerts].reverse()) {
      if (state === "firing") open.add(`${receiver} ${id}`);
      else open.delete(`${receiver} ${id}`);
    }
  }
  return [...open];
}
