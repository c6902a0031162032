import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildParts } from "./build.ts";

/**
 * `npm test [-- PART …]`: every test, or those whose path holds one of PART. Node 20's own discovery does not find TypeScript, so the files
 * are named one by one. The spec reporter's text is kept and its last lines say what ran and what was skipped, with the reason.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const parts = process.argv.slice(2);

function testFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)))
    .sort();
}

const files = testFiles(join(root, "test"));
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(" ")}`);
  process.exit(1);
}

await buildParts(["agent", "hub", "panel", "embedded"]); // tests of the whole system run the bundles

const skipped: string[] = [];
const failed: string[] = [];
const child = spawn(process.execPath, ["--import", "tsx", "--test", "--test-concurrency=2", "--test-reporter=tap", ...files], {
  cwd: root,
  stdio: ["ignore", "pipe", "inherit"],
  env: { ...process.env, NODE_ENV: "test" },
});

let rest = "";
const tail: string[] = [];
child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) readLine(line);
});

/** Of the TAP stream: failures and diagnostics are shown as they come, passes are counted only. */
let showing = false;
function readLine(line: string): void {
  const result = /^\s*(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b ?(.*))?$/.exec(line);
  if (result !== null) {
    const [, not, name, directive, reason] = result;
    showing = not !== undefined && directive === undefined;
    if (showing) failed.push(name ?? "");
    if (directive !== undefined) skipped.push(`${name}: ${reason === "" ? "no reason given" : reason}`);
    if (showing) console.log(line);
    return;
  }
  if (/^# (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(line)) tail.push(line);
  else if (showing || (/^\s*# /.test(line) && !/^\s*# Subtest/.test(line))) console.log(line);
}

child.on("exit", (code) => {
  console.log(`\n${files.length} test files`);
  for (const name of failed) console.log(`FAILED  ${name}`);
  for (const line of skipped) console.log(`skipped ${line}`);
  for (const line of tail) console.log(line);
  process.exit(code ?? 1);
});
