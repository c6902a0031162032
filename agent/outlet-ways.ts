import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { OutletWay, WayResult } from "#protocol/outlet.ts";
import { hookEnvironment, mailText, type Told, verdictOf } from "./core/alert-memory.ts";
import type { Log, RunCommand } from "./ports.ts";

/** Below the root prefix. */
const hookDir = "etc/proven/alert.d";
const hookTimeoutMs = 30_000;
const outputMaxBytes = 64 << 10;
const hooksAtOnce = 4;
const mailTimeoutMs = 30_000;

export type WayPorts = { root: string; run: RunCommand; log: Log };

/** Tells one thing by one of the node's own ways, and says what came of it. What fails stands in the journal, too. */
export function tellBy(way: OutletWay, told: Told, node: string, ports: WayPorts): Promise<WayResult> {
  if (way === "journal") return Promise.resolve(writeJournal(told, ports));
  return way === "hooks" ? runHooks(told, node, ports) : mailRoot(told, node, ports);
}

/** At once: no slow hook delays the journal. */
export function writeJournal(told: Told, { log }: WayPorts): WayResult {
  const { alert, state } = told;
  const level = state === "resolved" ? 5 : ({ critical: 3, warning: 4, info: 6 } as const)[alert.severity];
  log(level, `alert ${verdictOf(told)}`, { alert: alert.id, state });
  return { way: "journal", outcome: "told", said: "written" };
}

async function runHooks(told: Told, node: string, ports: WayPorts): Promise<WayResult> {
  const hooks = await findHooks(ports);
  const count = hooks.length;
  if (count === 0) return { way: "hooks", outcome: "nothing", said: `there is no hook in /${hookDir} that may run` };
  const env = hookEnvironment(told, node);
  const problems: string[] = [];
  const runNext = async (): Promise<void> => {
    for (let hook = hooks.shift(); hook !== undefined; hook = hooks.shift()) {
      const problem = await runHook(hook, env, ports);
      if (problem !== undefined) problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: hooksAtOnce }, runNext));
  if (problems.length > 0) return { way: "hooks", outcome: "failed", said: problems.join("; ").slice(0, 500) };
  return { way: "hooks", outcome: "told", said: `${count} ran` };
}

/** Undefined: it ended with 0. */
async function runHook(path: string, env: Record<string, string>, { run, log }: WayPorts): Promise<string | undefined> {
  const result = await run(path, [], { env, timeoutMs: hookTimeoutMs, maxBytes: outputMaxBytes });
  if (!result.ok) {
    log(4, "an alert hook failed", { problem: result.problem });
    return result.problem;
  }
  if (result.code === 0) return undefined;
  const said = lastLine(result.stderr);
  log(4, "an alert hook failed", { hook: path, code: result.code, said });
  return `${path} ended with ${result.code}${said === "" ? "" : `: ${said}`}`;
}

/** Executables that only root, or who runs this agent, can have put there; names as run-parts(8) takes them, so no backup copies. */
async function findHooks({ root, log }: WayPorts): Promise<string[]> {
  const dir = join(root, hookDir);
  const folder = await lstat(dir).catch(() => undefined);
  if (folder === undefined) return [];
  if (!folder.isDirectory() || !isTrusted(folder)) {
    log(4, "no alert hook was run: others than root can change the folder", { folder: dir });
    return [];
  }
  const names = await readdir(dir).catch(() => []);
  const found: string[] = [];
  for (const name of names.filter((one) => /^[A-Za-z0-9_-]+(\.(sh|py|pl))?$/.test(one)).sort()) {
    const path = join(dir, name);
    const stat = await lstat(path).catch(() => undefined);
    if (stat === undefined || !stat.isFile() || (stat.mode & 0o111) === 0) continue;
    if (isTrusted(stat)) found.push(path);
    else log(4, "an alert hook was not run: others than root can write it", { hook: path });
  }
  return found;
}

const isTrusted = ({ uid, mode }: Stats) => (uid === 0 || uid === process.getuid?.()) && (mode & 0o022) === 0;

async function mailRoot(told: Told, node: string, { run, log }: WayPorts): Promise<WayResult> {
  const input = mailText(told, node, encodeWord);
  const result = await run("sendmail", ["-oi", "-t"], { input, timeoutMs: mailTimeoutMs, maxBytes: outputMaxBytes });
  if (result.ok && result.code === 0) return { way: "mail", outcome: "told", said: "sendmail took it" };
  const problem = result.ok ? `sendmail ended with ${result.code}: ${lastLine(result.stderr)}` : result.problem;
  log(3, "mail to root failed", { problem });
  return { way: "mail", outcome: "failed", said: problem.slice(0, 500) };
}

const lastLine = (text: string) => (text.trim().split("\n").at(-1) ?? "").slice(0, 300);

/** RFC 2047: words of at most 75 characters, each a whole number of characters. */
function encodeWord(text: string): string {
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character) > 42) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((one) => `=?UTF-8?B?${Buffer.from(one).toString("base64")}?=`).join("\n ");
}
