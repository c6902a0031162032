import assert from "node:assert/strict";
import { test } from "node:test";
import { doctorExitCode, type Finding, formatFindings, judgeClock, judgeDisk, judgeService } from "#protocol/findings.ts";

test("a doctor's report names what is in trouble with its remedy, and what could not be told", () => {
  const findings: Finding[] = [
    { about: "disk", state: "ok", says: "full of room" },
    { about: "clock", state: "unknown", says: "nobody says" },
    { about: "hub", state: "trouble", says: "gone", remedy: "look for it" },
  ];
  assert.equal(
    formatFindings(findings),
    [
      "ok  disk   full of room",
      "??  clock  nobody says",
      "!!  hub    gone",
      "           look for it",
      "",
      "1 of 3 are in trouble. 1 could not be told.",
      "",
    ].join("\n"),
  );
  assert.equal(doctorExitCode(findings), 1);
  assert.equal(doctorExitCode(findings.slice(0, 2)), 0);
});

test("a disk has room for what may still come, or it is in trouble", () => {
  assert.deepEqual(judgeDisk("/x", 256e6, 256e6), { about: "disk", state: "ok", says: "/x: 256 MB free" });
  assert.deepEqual(judgeDisk("/x", 255e6, 256e6), {
    about: "disk",
    state: "trouble",
    says: "/x: 255 MB free",
    remedy: "make room: 256 MB may be needed",
  });
});

test("a clock that nobody speaks for is unknown, not in order", () => {
  assert.deepEqual(
    ["yes", "no", undefined, ""].map((said) => judgeClock(said).state),
    ["ok", "trouble", "unknown", "unknown"],
  );
});

test("a service that starts again and again is in trouble, one that systemd doesn't tell of is unknown", () => {
  assert.deepEqual(
    ["active", "activating", "failed", undefined].map((active) => judgeService("u", active).state),
    ["ok", "trouble", "trouble", "unknown"],
  );
});
