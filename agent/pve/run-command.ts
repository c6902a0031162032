import { type ChildProcess, execFile } from "node:child_process";
import type { RunCommand } from "../ports.ts";

/**
 * The agent's only way to run a command: no shell, programs looked up in `path` alone, English messages. One that runs too long is killed,
 * and the answer does not wait for its end: a process that waits for a dead disk can't be killed. While it is there the same command is not
 * started again: each would stay, and count for the node's load, until there are as many as a service may have.
 */
export function createRunCommand({ path, kill = killHard }: { path: string; kill?: (child: ChildProcess) => void }): RunCommand {
  const stuck = new Set<string>();
  return (file, args, { timeoutMs = 10_000, maxBytes = 4 << 20, env = {}, input, signal } = {}) => {
    const command = JSON.stringify([file, ...args]);
    const silent = { ok: false, problem: `${file}: no answer within ${timeoutMs} ms` } as const;
    if (stuck.has(command)) return Promise.resolve(silent);
    return new Promise((resolve) => {
      const options = { env: { ...env, PATH: path, LC_ALL: "C.UTF-8" }, maxBuffer: maxBytes, encoding: "utf8" } as const;
      const abort = signal === undefined ? {} : { signal, killSignal: "SIGKILL" as const };
      const child = execFile(file, [...args], { ...options, ...abort }, (error, stdout, stderr) => {
        clearTimeout(timer);
        if (error === null) return resolve({ ok: true, stdout, stderr, code: 0 });
        if (typeof error.code === "number") return resolve({ ok: true, stdout, stderr, code: error.code });
        resolve({ ok: false, problem: `${file}: ${problemOf(error, maxBytes)}` });
      });
      const timer = setTimeout(() => {
        // It may have ended long ago, and a child of its own holds the pipe: no `exit` comes any more.
        if (child.exitCode === null && child.signalCode === null) {
          stuck.add(command);
          child.once("exit", () => stuck.delete(command));
        }
        kill(child);
        // Its pipes would keep this process alive as long as the child hangs.
        child.stdout?.destroy();
        child.stderr?.destroy();
        child.unref();
        resolve(silent);
      }, timeoutMs);
      // A program that doesn't read its input closes the pipe: that is its own affair.
      child.stdin?.on("error", () => undefined);
      child.stdin?.end(input);
    });
  };
}

const killHard = (child: ChildProcess) => child.kill("SIGKILL");

function problemOf(error: { code?: unknown; signal?: unknown; message: string }, maxBytes: number): string {
  if (error.code === "ENOENT") return "not installed";
  if (error.code === "ABORT_ERR") return "cancelled";
  if (error.code === "EACCES") return "may not be run";
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `more than ${maxBytes} bytes of output`;
  if (typeof error.signal === "string") return `killed by ${error.signal}`;
  return error.message.slice(0, 200);
}
