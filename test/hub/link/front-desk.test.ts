import assert from "node:assert/strict";
import { test } from "node:test";
import { FrontDesk, type Visit } from "../../../hub/link/front-desk.ts";

/** A desk whose turns the test gives, and where judging one agent takes `eachMs`. */
function openDesk({ eachMs = 0, fails = () => "no" }: { eachMs?: number; fails?: () => "no" | "to begin" | "to end" } = {}) {
  const told: string[] = [];
  const turns: (() => void)[] = [];
  let nowMs = 0;
  const desk = new FrontDesk({
    together(work) {
      if (fails() === "to begin") throw new Error("no transaction");
      work();
      told.push(fails() === "to end" ? "not written" : "written");
      if (fails() === "to end") throw new Error("no space left on device");
    },
    monotonicMs: () => nowMs,
    inNextTurn: (work) => turns.push(work),
  });
  const visit = (name: string): Visit => ({
    decide() {
      nowMs += eachMs;
      told.push(`${name} judged`);
    },
    tell: (problem) => told.push(problem === undefined ? `${name} welcomed` : `${name}: ${(problem.cause as Error).message}`),
  });
  const nextTurn = () => {
    turns.shift()?.();
    return told.splice(0);
  };
  return { desk, visit, nextTurn, turns };
}

test("agents that come together are judged in one write, and hear of it when it is durable", () => {
  const { desk, visit, nextTurn, turns } = openDesk();
  desk.enter(visit("pve1"));
  desk.enter(visit("pve2"));
  assert.equal(turns.length, 1);
  assert.deepEqual(nextTurn(), ["pve1 judged", "pve2 judged", "written", "pve1 welcomed", "pve2 welcomed"]);
  assert.equal(turns.length, 0);
  desk.enter(visit("pve3"));
  assert.deepEqual(nextTurn(), ["pve3 judged", "written", "pve3 welcomed"]);
});

test("no more are judged at a time than take a few milliseconds, the others in the next turn, in the order in which they came", () => {
  const { desk, visit, nextTurn } = openDesk({ eachMs: 3 });
  for (const name of ["pve1", "pve2", "pve3"]) desk.enter(visit(name));
  assert.deepEqual(nextTurn(), ["pve1 judged", "pve2 judged", "written", "pve1 welcomed", "pve2 welcomed"]);
  assert.deepEqual(nextTurn(), ["pve3 judged", "written", "pve3 welcomed"]);
});

test("where nothing can be written, each that was judged hears so, and who comes later is let in", () => {
  let how: "no" | "to begin" | "to end" = "to end";
  const { desk, visit, nextTurn, turns } = openDesk({ fails: () => how });
  desk.enter(visit("pve1"));
  assert.deepEqual(nextTurn(), ["pve1 judged", "not written", "pve1: no space left on device"]);
  how = "to begin";
  desk.enter(visit("pve1"));
  desk.enter(visit("pve2"));
  assert.deepEqual(nextTurn(), ["pve1: no transaction", "pve2: no transaction"]);
  assert.equal(turns.length, 0);
  how = "no";
  desk.enter(visit("pve1"));
  assert.deepEqual(nextTurn(), ["pve1 judged", "written", "pve1 welcomed"]);
});
