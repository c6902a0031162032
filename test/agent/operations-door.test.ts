import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Message } from "#protocol/messages.ts";
import { OperationsDoor } from "../../agent/operations-door.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const id = "00000000-0000-4000-8000-000000000001";
const start: Message = {
  type: "op.start",
  body: { id, operation: { kind: "restore-plan" }, expiresAt: 1, actor: "root@pam", reason: "" },
};

/** A door before operations that write down what they were asked; `problem`: they can't be loaded. */
function openDoor(t: TestContext, vmids: readonly number[] = []) {
  const root = temporaryDir(t);
  const dir = join(root, "operations");
  mkdirSync(join(root, "etc/pve"), { recursive: true });
  writeGuests(root, vmids);
  const clock = new FakeClock();
  const asked: string[] = [];
  const load: { problem: string | undefined } = { problem: undefined };
  const door = new OperationsDoor({
    dir,
    root,
    vmids: { first: 990_000, last: 990_999 },
    clock,
    log: () => undefined,
    load: async () => {
      asked.push("load");
      if (load.problem !== undefined) throw new Error(load.problem);
      return {
        hear: ({ type }) => asked.push(type),
        connected: () => asked.push("connected"),
        tend: async () => {
          asked.push("tend");
        },
      };
    },
  });
  const writeJournal = (name: string) => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, name), "");
  };
  return { door, root, clock, asked, load, writeJournal };
}

/** The guests that the cluster's list names from now on. */
function writeGuests(root: string, vmids: readonly number[]): void {
  const ids = Object.fromEntries(vmids.map((vmid) => [vmid, { node: "pve1", type: "qemu", version: 1 }]));
  writeFileSync(join(root, "etc/pve/.vmlist"), JSON.stringify({ version: 1, ids }));
}

const turns = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/** Time passes until that much is told, at most `ms`; then the disk gets the time it needs. */
async function pass(clock: FakeClock, told: readonly unknown[], wanted: number, ms: number): Promise<void> {
  for (let passed = 0; passed < ms && told.length < wanted; passed += 1000) await clock.advance(1000);
  for (let i = 0; i < 100_000 && told.length < wanted; i++) await turns();
}

test("an agent that has nothing to do loads nothing, neither at its start nor with a session", async (t) => {
  const { door, clock, asked, writeJournal } = openDoor(t, [100, 989_999]);
  writeJournal(`${id}.done`);
  const stop = new AbortController();
  const running = door.run(stop.signal);
  const detach = door.attach(() => undefined);
  await clock.advance(7_200_000);
  stop.abort();
  await running;
  detach();
  assert.deepEqual(asked, []);
  assert.deepEqual([door.hear({ type: "ack", body: { seq: 1 } }), door.hear(start)], [false, true]);
});

test("an open journal is tended at the start and every hour, and told at each connect", async (t) => {
  const { door, clock, asked, writeJournal } = openDoor(t);
  writeJournal(`${id}.jsonl`);
  const stop = new AbortController();
  const running = door.run(stop.signal);
  await pass(clock, asked, 2, 10_000);
  await pass(clock, asked, 3, 3_900_000);
  door.attach(() => undefined);
  await turns();
  stop.abort();
  await running;
  assert.deepEqual(asked, ["load", "tend", "tend", "connected"]);
});

test("a sandbox that could not be removed is tended, too, though the hub has heard all of its test", async (t) => {
  const { door, root, clock, asked, writeJournal } = openDoor(t);
  writeJournal(`${id}.done`);
  mkdirSync(join(root, "sandboxes/1a2b3c4d"), { recursive: true });
  const stop = new AbortController();
  const running = door.run(stop.signal);
  await pass(clock, asked, 2, 10_000);
  rmSync(join(root, "sandboxes/1a2b3c4d"), { recursive: true });
  await clock.advance(7_200_000);
  stop.abort();
  await running;
  assert.deepEqual(asked, ["load", "tend"]);
});

test("guests in the range of test guests are looked at", async (t) => {
  const { door, clock, asked } = openDoor(t, [990_005]);
  const stop = new AbortController();
  const running = door.run(stop.signal);
  for (let i = 0; i < 1000 && asked.length < 2; i++) await turns();
  stop.abort();
  await clock.advance(1);
  await running;
  assert.deepEqual(asked, ["load", "tend"]);
});

test("a guest that comes into the range is looked at within five minutes, and told to be gone when it left", async (t) => {
  const { door, root, clock, asked } = openDoor(t, [100]);
  const told: unknown[] = [];
  door.onProblem = (...all) => told.push(all);
  const stop = new AbortController();
  const running = door.run(stop.signal);
  await pass(clock, told, 1, 60_000);
  writeGuests(root, [100, 990_005]);
  await pass(clock, asked, 2, 301_000);
  assert.deepEqual(asked, ["load", "tend"]);
  writeGuests(root, [100]);
  await pass(clock, told, 2, 301_000);
  stop.abort();
  await clock.advance(1);
  await running;
  assert.deepEqual(
    [asked, told],
    [
      ["load", "tend"],
      [
        [undefined, []],
        [undefined, []],
      ],
    ],
  );
});

test("what can't be loaded refuses orders as unavailable, and is tried again soon", async (t) => {
  const { door, clock, asked, load, writeJournal } = openDoor(t);
  load.problem = "is pmxcfs mounted?";
  writeJournal(`${id}.jsonl`);
  const said: Message[] = [];
  door.attach((message) => said.push(message));
  await turns();
  assert.equal(door.hear(start), true);
  for (let i = 0; i < 1000 && said.length === 0; i++) await turns();
  const result = { kind: "refused", code: "unavailable", reason: "is pmxcfs mounted?" };
  assert.deepEqual(said, [{ type: "op.result", body: { id, result } }]);
  const stop = new AbortController();
  const running = door.run(stop.signal);
  await turns();
  load.problem = undefined;
  await clock.advance(31_000);
  stop.abort();
  await running;
  assert.equal(asked.at(-1), "tend");
});
