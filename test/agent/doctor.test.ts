import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cluster } from "../../agent/doctor.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("the doctor says that /etc/pve does not answer, and does not hang with it", async (t) => {
  const root = temporaryDir(t);
  mkdirSync(join(root, "etc/pve"), { recursive: true });
  const members = join(root, "etc/pve/.members");
  execFileSync("mkfifo", [members]); // who opens it to read waits for somebody who writes
  const clock = new FakeClock();
  const looking = cluster(root, clock);
  await settle();
  clock.advance(3000);
  const findings = await looking;
  writeFileSync(members, "");
  assert.deepEqual(
    findings.map(({ about, state, says }) => [about, state, says]),
    [["pmxcfs", "trouble", "/etc/pve does not answer: guests, storages and the hub can't be known"]],
  );
});

test("the doctor says that /etc/pve is not mounted", async (t) => {
  const [finding] = await cluster(temporaryDir(t), new FakeClock());
  assert.equal(finding?.says, "/etc/pve is not mounted: guests, storages and the hub can't be known");
});
