import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Row } from "../../../scripts/bench/row.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const main = join(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))), "scripts/bench/main.ts");

function runBench(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", main, ...args], {
      env: { ...process.env, PROVEN_BENCH_SOURCE: "1" },
    });
    const output: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk.toString()));
    child.once("error", reject);
    child.once("exit", (code) => resolve({ code, output: output.join("") }));
  });
}

test("the hub, killed twice under load, still has every sample that it acknowledged", async (t) => {
  const dir = temporaryDir(t);
  const file = join(dir, "rows.json");
  const { code, output } = await runBench(["--only", "kill", "--kills", "2", "--json", file]);
  assert.equal(code, 0, output);
  const rows = JSON.parse(readFileSync(file, "utf8")) as Row[];
  const value = (part: string) => rows.find(({ name }) => name.includes(part))?.value;
  assert.equal(value("acknowledged samples lost"), 0);
  assert.equal(value("differ when read back"), 0);
  assert.equal(value("starts that failed"), 0);
  assert.ok((rows.find(({ name }) => name.endsWith("acknowledged samples"))?.value ?? 0) > 0, "nothing was acknowledged");
});

test("an unknown measure is refused with the names there are", async () => {
  const { code, output } = await runBench(["--only", "ingest"]);
  assert.equal(code, 2);
  assert.match(output, /--only ingest: one of bulk, pace, history, agent, kill/);
});
