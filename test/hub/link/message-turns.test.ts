import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageTurns, type Pausable } from "../../../hub/link/message-turns.ts";

/** Sockets of three agents; `turn` begins the next turn of the event loop. */
function threeAgents() {
  const told: string[] = [];
  const socketOf = (name: string): Pausable => ({
    pause: () => told.push(`${name} waits`),
    resume: () => told.push(`${name} goes on`),
  });
  const [a, b, c] = [socketOf("a"), socketOf("b"), socketOf("c")];
  let nowMs = 0;
  let queued: (() => void)[] = [];
  const turns = new MessageTurns(
    () => [a, b, c],
    () => nowMs,
    (work) => queued.push(work),
  );
  return {
    told,
    takes: (socket: Pausable, ms: number) => {
      nowMs += ms;
      turns.took(socket);
    },
    turn: () => {
      const due = queued;
      queued = [];
      for (const work of due) work();
      return due.length;
    },
    a,
    b,
    c,
  };
}

test("agents that send what they gathered in an outage wait when 8 ms went into them; the others have a turn, and then who had nothing goes on first", () => {
  const { told, takes, turn, a, b } = threeAgents();
  for (let record = 0; record < 3; record++) takes(a, 3);
  assert.deepEqual(told, []);
  takes(b, 3);
  takes(b, 1);
  assert.deepEqual(told.splice(0), ["a waits", "b waits", "c waits"]);
  assert.equal(turn(), 1);
  assert.deepEqual(told, []);
  assert.equal(turn(), 1);
  assert.deepEqual(told.splice(0), ["c goes on", "a goes on", "b goes on"]);
  takes(a, 4);
  takes(a, 7);
  assert.deepEqual(told, []);
});

test("a few messages at a time make nobody wait, and a hub that hears nothing has nothing to do", () => {
  const { told, takes, turn, a, b, c } = threeAgents();
  for (const socket of [a, b, c]) takes(socket, 0.5);
  assert.equal(turn(), 1);
  assert.equal(turn(), 0);
  takes(a, 10_000);
  assert.equal(turn(), 1);
  assert.deepEqual(told, []);
});
