import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { buildParts } from "./build.ts";

/**
 * `npm test [-- PART …]`: every test, or those whose path holds one of PART. Node 20's own discovery does not find TypeScript, so the files
 * are named one by one. Failures and diagnostics are shown as they come; the last lines say what ran and what was skipped, with the reason.
 *
 * Two files run beside each other, with browsers, hubs and containers of their own: one may be starved by the other. So files with a failure
 * run once more, alone. What passes then is named `UNSTABLE` with what failed at first, and doesn't fail the run. What is random doesn't
 * hide behind that: on CI, inputs of property tests come from one seed, and the second run has the same.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const parts = process.argv.slice(2);
/** Milliseconds. A file that hangs is a failure, not the end of the machine's time. */
const fileTimeoutMs = 480_000;
const env = { NODE_ENV: "test", ...(process.env.CI === undefined ? {} : { PROVEN_SEED: "20260101" }), ...process.env };

function testFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)))
    .sort();
}

type Failure = { name: string /** Absolute path; undefined where the runner doesn't tell it. */; file: string | undefined };
type Outcome = { code: number; failures: Failure[]; skipped: string[]; totals: string[] };

/** Reads the TAP stream of one run: passes are counted only. */
class TapReader {
  readonly failures: Failure[] = [];
  readonly skipped: string[] = [];
  readonly totals: string[] = [];
  #rest = "";
  /** The lines of a failure are shown up to the next result. */
  #showing = false;

  read(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
  }

  #readLine(line: string): void {
    const result = /^\s*(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b ?(.*))?$/.exec(line);
    if (result !== null) {
      this.#readResult(line, result);
      return;
    }
    const location = /^\s*location: '(.+):\d+:\d+'$/.exec(line)?.[1];
    const newest = this.failures.at(-1);
    if (this.#showing && location !== undefined && newest !== undefined) newest.file ??= location;
    if (/^# (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(line)) this.totals.push(line);
    else if (this.#showing || (/^\s*# /.test(line) && !/^\s*# Subtest/.test(line))) console.log(line);
  }

  #readResult(line: string, [, not, name = "", directive, reason]: RegExpExecArray): void {
    this.#showing = not !== undefined && directive === undefined;
    if (directive !== undefined) this.skipped.push(`${name}: ${reason === "" ? "no reason given" : reason}`);
    if (!this.#showing) return;
    this.failures.push({ name, file: undefined });
    console.log(line);
  }
}

function run(files: readonly string[], concurrency: number): Promise<Outcome> {
  const flags = [`--test-concurrency=${concurrency}`, `--test-timeout=${fileTimeoutMs}`, "--test-reporter=tap"];
  const child = spawn(process.execPath, ["--import", "tsx", "--test", ...flags, ...files], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env,
  });
  const reader = new TapReader();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => reader.read(chunk));
  const { failures, skipped, totals } = reader;
  return new Promise((resolve) => child.on("close", (code) => resolve({ code: code ?? 1, failures, skipped, totals })));
}

/** Files whose failures can all be tried again: each failure tells its file, and it isn't half the suite that fails. */
function worthAnotherRun({ failures }: Outcome): string[] {
  const failed = new Set(failures.map(({ file }) => file));
  if (failed.size === 0 || failed.size > 6 || failed.has(undefined)) return [];
  return [...failed].filter((file) => file !== undefined).filter((file) => files.includes(file));
}

const files = testFiles(join(root, "test"));
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(" ")}`);
  process.exit(1);
}
await buildParts(["agent", "hub", "panel", "embedded"]); // tests of the whole system run the bundles

const first = await run(files, 2);
const again = first.code === 0 ? [] : worthAnotherRun(first);
if (again.length > 0) console.log(`\nonce more, alone: ${again.map((file) => relative(root, file)).join(" ")}`);
const last = again.length > 0 ? await run(again, 1) : first;

console.log(`\n${files.length} test files`);
for (const { name } of last.failures) console.log(`FAILED  ${name}`);
if (last !== first && last.code === 0)
  for (const { name, file } of first.failures)
    console.log(`UNSTABLE ${relative(root, file ?? "")}: failed beside others, passed alone: ${name}`);
for (const line of first.skipped) console.log(`skipped ${line}`);
for (const line of first.totals) console.log(line);
process.exit(last.code);
