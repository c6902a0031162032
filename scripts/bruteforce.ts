import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { scenes } from "../test/support/death-scenes.ts";
import { type Manner, type Played, playManner } from "../test/support/every-death.ts";

/**
 * `npm run bruteforce [-- --only WORDS] [--jobs N]`: the agent of a restore test dies at every single journal entry and call, in every way (before it,
 * in the middle, after it), and so do the agents that clear away after it. After each the lab must hold exactly what it held before, and must have seen
 * no call that could have done harm. Prints a line per scene, and a summary; exit code 1 when there was a problem.
 */
const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, jobs: { type: "string" }, worker: { type: "boolean", default: false } },
});

type Part = { scene: number; manner: Manner };
type Done = { part: Part; played: Played; tookMs: number };

async function work(part: Part): Promise<void> {
  const scene = scenes[part.scene];
  if (scene === undefined) throw new Error(`no scene ${part.scene}`);
  const startedMs = performance.now();
  const played = await playManner(scene, part.manner);
  const done: Done = { part, played, tookMs: performance.now() - startedMs };
  process.send?.(done);
}

const titleOf = ({ scene, manner }: Part) => `${scenes[scene]?.name}: ${manner}`;

function report({ part, played, tookMs }: Done): void {
  const { deaths, problems } = played;
  const figures = `${deaths} deaths, ${problems.length} problems, ${(tookMs / 1000).toFixed(0)} s`;
  process.stdout.write(`${titleOf(part)}: ${figures}\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
}

/** One process per part at a time; what a process dies of is a problem of its part. */
function employ(parts: Part[], told: (done: Done) => void): Promise<void> {
  return new Promise((resolve) => {
    const next = (worker: ChildProcess) => {
      const part = parts.shift();
      if (part === undefined) return worker.disconnect();
      given = part;
      worker.send(part);
    };
    let given: Part | undefined;
    const worker = fork(fileURLToPath(import.meta.url), ["--worker"]);
    worker.on("message", (done: Done) => {
      told(done);
      given = undefined;
      next(worker);
    });
    worker.on("exit", (code, signal) => {
      if (given === undefined) return resolve();
      told({
        part: given,
        played: { performances: 0, deaths: 0, problems: [`its process ended: ${code ?? signal}`] },
        tookMs: 0,
      });
      resolve(employ(parts, told));
    });
    next(worker);
  });
}

async function main(): Promise<number> {
  const startedMs = performance.now();
  const all = scenes.flatMap(({ dies }, scene) => dies.map((manner): Part => ({ scene, manner })));
  const parts = all.filter((part) => titleOf(part).includes(values.only));
  const sum = { scenes: parts.length, performances: 0, deaths: 0, problems: 0 };
  const told = (done: Done) => {
    report(done);
    sum.performances += done.played.performances;
    sum.deaths += done.played.deaths;
    sum.problems += done.played.problems.length;
  };
  const jobs = Math.max(1, Number(values.jobs ?? availableParallelism()));
  await Promise.all(Array.from({ length: Math.min(jobs, parts.length) }, () => employ(parts, told)));
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  process.stdout.write(
    `${sum.scenes} scenes, ${sum.performances} performances, ${sum.deaths} deaths, ${sum.problems} problems, ${minutes} min\n`,
  );
  return sum.problems === 0 && sum.scenes > 0 ? 0 : 1;
}

if (values.worker) process.on("message", (part: Part) => void work(part));
else process.exitCode = await main();
