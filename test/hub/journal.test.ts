import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventView } from "#protocol/api.ts";
import type { NodeName } from "#protocol/ids.ts";
import type { NewEvent } from "../../hub/core/events.ts";
import { Journal } from "../../hub/journal.ts";
import { FakeClock } from "../support/fake-clock.ts";

function started(add?: (events: readonly NewEvent[]) => EventView[]) {
  const written: string[][] = [];
  const heard: string[] = [];
  const problems: string[] = [];
  const store = (events: readonly NewEvent[]) => {
    written.push(events.map(({ type }) => type));
    return events.map((event, index) => ({ id: index + 1, ...event }));
  };
  const log = (level: number, message: string) => void (level === 3 && problems.push(message));
  const journal = new Journal({ add: add ?? store, clock: new FakeClock(), log });
  journal.onEvent(({ type }) => heard.push(type));
  return { journal, written, heard, problems };
}

test("events of one piece of work are written together when it is done, others at once", () => {
  const { journal, written, heard } = started();
  journal.emit("hub.stopped", {});
  const result = journal.together(() => {
    journal.emit("quorum.lost", { name: "lab" });
    journal.together(() => journal.emit("quorum.regained", { name: "lab" }));
    assert.deepEqual(heard, ["hub.stopped"]);
    return 7;
  });
  assert.equal(result, 7);
  assert.deepEqual(written, [["hub.stopped"], ["quorum.lost", "quorum.regained"]]);
  assert.deepEqual(heard, ["hub.stopped", "quorum.lost", "quorum.regained"]);
  journal.together(() => undefined);
  assert.equal(written.length, 2);
  journal.emit("hub.stopped", {});
  assert.deepEqual(written.slice(2), [["hub.stopped"]], "what comes after such work waits for nothing");
});

test("work that fails still leaves the events of what it did, and a full disk ends no work", () => {
  const { journal, written } = started();
  const failing = () =>
    journal.together(() => {
      journal.emit("quorum.lost", { name: "lab" });
      throw new Error("on purpose");
    });
  assert.throws(failing, /on purpose/);
  assert.deepEqual(written, [["quorum.lost"]]);
  const full = started(() => {
    throw new Error("no space left on device");
  });
  full.journal.together(() => full.journal.emit("hub.stopped", {}));
  assert.match(full.problems.join(), /1 events not stored: .*no space left/);
});

test("the event of an alert is as severe as the alert", () => {
  const severities: string[] = [];
  const add = (events: readonly NewEvent[]) => events.map((event, index) => ({ id: index + 1, ...event }));
  const { journal } = started(add);
  journal.onEvent(({ severity }) => severities.push(severity));
  for (const severity of ["critical", "warning", "info"] as const)
    journal.emit("alert.firing", { text: "pve1: hot", rule: "hot", severity });
  journal.emit("alert.resolved", { text: "pve1: hot", rule: "hot" });
  assert.deepEqual(severities, ["critical", "warning", "info", "info"]);
});

test("an event stands in the log as loud as it is bad, with its node", () => {
  const lines: unknown[][] = [];
  const log = (level: number, text: string, fields: object = {}) => void lines.push([level, text, fields]);
  const journal = new Journal({ add: () => [], clock: new FakeClock(), log });
  for (const severity of ["critical", "warning", "info"] as const)
    journal.emit("alert.firing", { text: "pve1: hot", rule: "hot", severity }, { node: "pve1" as NodeName });
  const fields = { event: "alert.firing", node: "pve1" };
  assert.deepEqual(
    lines,
    [4, 5, 6].map((level) => [level, "Alert hot: pve1: hot", fields]),
  );
});
