import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../agent/clock.ts";
import { parseConfig } from "../../agent/config.ts";
import { cluster, examine } from "../../agent/doctor.ts";
import type { RunCommand } from "../../agent/ports.ts";
import { createRunCommand } from "../../agent/pve/run-command.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const run = createRunCommand({ path: "/usr/bin:/bin" });
const nobodyAnswers: RunCommand = async (file) => ({ ok: false, problem: `${file}: no answer within 3000 ms` });

test("while /etc/pve does not answer the doctor says so and reads nothing there: its process could not end", async (t) => {
  const root = temporaryDir(t);
  const config = parseConfig(`root = "${root}"\nstate = "${root}/state"\n[gateway]\nenabled = false\n`);
  const asked: string[] = [];
  const ask = async (path: string) => {
    asked.push(path);
    return { ok: true, data: {} } as const;
  };
  const api = { get: ask, post: ask, put: ask, delete: ask, awaitTask: ask, close: () => undefined };
  const hubFiles = {
    get root(): string {
      throw new Error("the hub was looked for");
    },
    stateDir: root,
    configured: undefined,
  };
  const findings = await examine({ config, run: nobodyAnswers, api, hubFiles, clock: systemClock, uid: 0 });
  assert.deepEqual(
    findings
      .filter(({ about }) => ["pmxcfs", "local API", "hub"].includes(about))
      .map(({ about, state, says }) => [about, state, says]),
    [
      ["pmxcfs", "trouble", "/etc/pve does not answer: guests, storages and the hub can't be known"],
      ["local API", "unknown", "not asked while /etc/pve does not answer"],
      ["hub", "unknown", "not asked while /etc/pve does not answer"],
    ],
  );
  assert.deepEqual(asked, []);
});

test("the doctor says that /etc/pve is not mounted", async (t) => {
  const { answers, findings } = await cluster(temporaryDir(t), run);
  assert.deepEqual(
    [answers, findings.map(({ says }) => says)],
    [true, ["/etc/pve is not mounted: guests, storages and the hub can't be known"]],
  );
});

test("the doctor says that the cluster has no quorum", async (t) => {
  const root = temporaryDir(t);
  mkdirSync(join(root, "etc/pve"), { recursive: true });
  writeFileSync(join(root, "etc/pve/.members"), '{"cluster":{"name":"lab","quorate":0}}');
  const { findings } = await cluster(root, run);
  assert.deepEqual(
    findings.map(({ says }) => says),
    ["/etc/pve is mounted", "no quorum: /etc/pve is read-only"],
  );
});
