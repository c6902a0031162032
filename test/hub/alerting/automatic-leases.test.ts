import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { AlertHolds } from "../../../hub/alerting/alert-holds.ts";
import { AutomaticLeases } from "../../../hub/alerting/automatic-leases.ts";
import { testPicture } from "../../support/test-cluster.ts";
import { testHub } from "../../support/test-hub.ts";

const hour = 3_600_000;
const at = (hours: number) => (1_800_000_000_000 + hours * hour) as EpochMs;
const locked = (now: EpochMs) => testPicture({ name: "lab", at: now, nodes: { pve1: [{ vmid: 100, lock: "backup" }] } });

test("a window whose lease is over is open no more, though its lock is still there: restore tests wait for it no longer", (t) => {
  const { state } = testHub(t);
  const [holds, leases] = [new AlertHolds(), new AutomaticLeases(state, at(0))];
  const openAt = (hours: number) => {
    holds.stepAutomatic([locked(at(hours))], leases, at(hours));
    holds.begin([], at(hours));
    return holds.automaticWindows().map(({ kind }) => kind);
  };
  assert.deepEqual([0, 23, 25].map(openAt), [["backup-lock"], ["backup-lock"], []]);
});

test("a restart gives a lock that is there for long no new lease, also while its agent does not speak yet", (t) => {
  const { state } = testHub(t);
  const before = new AlertHolds();
  const leases = new AutomaticLeases(state, at(0));
  for (const hours of [0, 2]) before.stepAutomatic([locked(at(hours))], leases, at(hours));
  const [after, restored] = [new AlertHolds(), new AutomaticLeases(state, at(3))];
  after.stepAutomatic([], restored, at(3));
  after.stepAutomatic([locked(at(3.5))], restored, at(3.5));
  after.begin([], at(3.5));
  assert.deepEqual(
    after.automaticWindows().map(({ since }) => since),
    [at(0)],
  );
  after.stepAutomatic([], restored, at(5));
  assert.deepEqual(state.list("automaticWindow"), []);
});

test("a backup of minutes is not written down", (t) => {
  const { state } = testHub(t);
  const [holds, leases] = [new AlertHolds(), new AutomaticLeases(state, at(0))];
  for (const hours of [0, 0.2]) holds.stepAutomatic([locked(at(hours))], leases, at(hours));
  assert.deepEqual(state.list("automaticWindow"), []);
});

test("a clock that is set back makes no lease longer, with the hub there or away", (t) => {
  const { state } = testHub(t);
  const leases = new AutomaticLeases(state, at(240));
  const before = new AlertHolds();
  for (const hours of [240, 242]) before.stepAutomatic([locked(at(hours))], leases, at(hours));
  const sinceOf = (known: AutomaticLeases) => [...known.before().values()].map(({ since }) => since);
  assert.deepEqual(sinceOf(new AutomaticLeases(state, at(2))), [at(2)]);
  assert.deepEqual(sinceOf(new AutomaticLeases(state, at(2), 240 * hour)), [at(0)]);
  leases.shift(-240 * hour);
  before.stepAutomatic([locked(at(3))], leases, at(3));
  assert.deepEqual(sinceOf(new AutomaticLeases(state, at(4))), [at(0)]);
});
