import assert from "node:assert/strict";
import { test } from "node:test";
import { checkExitCode, formatCheck } from "../../agent/check.ts";

const works = { source: "proc", found: "2 threads", costMs: 1.23 };
const missing = {
  source: "pve-metrics",
  found: "nothing",
  costMs: 12,
  problem: "/run/pve/metrics: missing, is pvestatd running?",
};

test("--check prints each source with its cost, and below it what is missing and why", () => {
  assert.equal(
    formatCheck([works, missing]),
    [
      "ok  proc          1.2 ms  2 threads",
      "!!  pve-metrics  12.0 ms  nothing",
      "                          /run/pve/metrics: missing, is pvestatd running?",
      "",
      "1 of 2 sources have a problem.",
      "",
    ].join("\n"),
  );
});

test("--check ends with 0 when all is fine and with 1 when something is missing", () => {
  assert.equal(checkExitCode([works]), 0);
  assert.equal(checkExitCode([works, missing]), 1);
  assert.match(formatCheck([works]), /All sources work\.\n$/);
});
