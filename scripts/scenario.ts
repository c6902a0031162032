import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectedLog, play, scenarioDir, scenarioNames } from "../test/scenario/play.ts";

/** `npm run scenario -- all | NAME … [--write]`: plays stories in virtual time, a line each. One by name shows its log; --write accepts it. */
const words = process.argv.slice(2);
const write = words.includes("--write");
const wanted = words.filter((word) => !word.startsWith("--"));
const known = scenarioNames();
const names = wanted.includes("all") ? known : wanted;
const unknown = names.filter((name) => !known.includes(name));
if (names.length === 0 || unknown.length > 0) {
  console.error(unknown.length > 0 ? `no scenario ${unknown.join(", ")}` : "npm run scenario -- all | NAME … [--write]");
  console.error(`known: ${known.join(", ")}`);
  process.exit(1);
}

let failed = 0;
for (const name of names) {
  const startedAt = performance.now();
  const log = await play(name);
  const expected = join(scenarioDir, name, "expected.log");
  if (write) writeFileSync(expected, log);
  const ok = log === expectedLog(name);
  if (!ok) failed++;
  const [title = ""] = log.split("\n");
  console.log(
    `${ok ? "ok    " : "FAILED"} ${name.padEnd(28)} ${((performance.now() - startedAt) / 1000).toFixed(1)} s  ${title.slice(2)}`,
  );
  if (!wanted.includes("all") || !ok) console.log(log);
}
console.log(failed === 0 ? `${names.length} scenarios, all as expected` : `${failed} of ${names.length} scenarios differ`);
process.exitCode = failed === 0 ? 0 : 1;
