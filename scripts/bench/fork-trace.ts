import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** New processes and programs in a traced window. Threads are not counted: clone with CLONE_THREAD makes one. */
export function countForks(trace: string): number {
  return trace.split("\n").filter((line) => /\b(fork|vfork|execve|execveat)\(|\bclone3?\((?!.*CLONE_THREAD)/.test(line)).length;
}

/** Forks of the whole machine since boot: an upper bound where nothing can be traced. */
const machineForks = () => Number(/^processes (\d+)/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? Number.NaN);

export type ForkCount = { count: number; how: "strace" | "/proc/stat of the whole machine" };

/** Watches a running process and its children; `stop` gives what happened since. */
export function watchForks(pid: number, outFile: string): { stop(): Promise<ForkCount> } {
  if (!existsSync("/usr/bin/strace")) {
    const before = machineForks();
    return { stop: async () => ({ count: machineForks() - before, how: "/proc/stat of the whole machine" }) };
  }
  const tracer = spawn("/usr/bin/strace", ["-f", "-qq", "-e", "trace=process", "-o", outFile, "-p", String(pid)], {
    stdio: "ignore",
  });
  return {
    async stop() {
      await endTracer(tracer);
      return { count: countForks(existsSync(outFile) ? readFileSync(outFile, "utf8") : ""), how: "strace" };
    },
  };
}

/** An interrupted strace detaches and lets the process go on. One that ended by itself traced nothing: then there is no count. */
async function endTracer(tracer: ChildProcess): Promise<void> {
  if (tracer.exitCode !== null) throw new Error(`strace ended with ${tracer.exitCode}: may this user trace?`);
  const gone = new Promise<void>((resolve) => tracer.once("exit", () => resolve()));
  tracer.kill("SIGINT");
  await gone;
}
