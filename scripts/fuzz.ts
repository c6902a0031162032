import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { agentTargets } from "../test/support/fuzz/agent-parsers.ts";
import { openApi, propertyOf } from "../test/support/fuzz/api.ts";
import { hubTargets } from "../test/support/fuzz/hub-parsers.ts";
import { talkProperty } from "../test/support/fuzz/hub-talk.ts";
import { linkProperty, openLink } from "../test/support/fuzz/link.ts";
import { fc } from "../test/support/property.ts";

/**
 * `npm run fuzz [-- --minutes N] [--only WORDS] [--seed S]`: what test/fuzz tries with one seed, with ever new ones. Prints what fails with its
 * seed and the smallest case that still does, and goes on; exit code 1 when something failed. `--seed` tries that one and no other.
 */
const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, only: { type: "string", default: "" }, seed: { type: "string" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes: a number above 0");
const endMs = performance.now() + minutes * 60_000;
const runsOfText = 1000;
const runsOfRequests = 60;
const linkName = "conversations of an agent";
const talkName = "conversations of a hub";

let [tried, failed] = [0, 0];

async function check(name: string, property: fc.IRawProperty<[unknown]>, seed: number, numRuns: number): Promise<void> {
  const details = await fc.check(property, { seed, numRuns });
  tried += details.numRuns;
  if (!details.failed) return;
  failed++;
  const [smallest] = details.counterexample ?? [];
  process.stdout.write(
    `FAILED ${name}\n  --seed ${seed} --only '${name}'\n  ${fc.stringify(smallest)}\n  ${String(details.errorInstance)}\n`,
  );
}

const wanted = (name: string) => name.includes(values.only);
const isOver = () => performance.now() > endMs;

/** Everything once; a hub of its own, so that a seed gives the same answers again. */
async function round(seed: number): Promise<void> {
  for (const { name, property } of [...agentTargets, ...hubTargets]) {
    if (isOver()) return;
    if (wanted(name)) await check(name, property, seed, runsOfText);
  }
  const endings: (() => unknown)[] = [];
  const scope = { after: (end: () => unknown) => void endings.unshift(end) } as Parameters<typeof openApi>[0];
  if (wanted(linkName) && !isOver()) await check(linkName, linkProperty(openLink(scope)), seed, runsOfRequests * 5);
  if (wanted(talkName) && !isOver()) await check(talkName, talkProperty(), seed, runsOfRequests);
  const api = await openApi(scope);
  for (const operation of api.operations) {
    const name = `${operation.method} ${operation.path}`;
    if (!isOver() && wanted(name)) await check(name, propertyOf(api, operation), seed, runsOfRequests);
  }
  for (const end of endings) await end();
}

if (values.seed !== undefined) await round(Number(values.seed));
else while (!isOver()) await round(randomInt(2 ** 31));
process.stdout.write(`${tried} cases, ${failed} failures\n`);
process.exit(failed === 0 ? 0 : 1);
