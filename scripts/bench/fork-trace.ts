import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Processes that the given threads made. Clones with CLONE_THREAD are threads; what a child does itself is not counted again. */
export function countForks(trace: string, ownThreads: readonly number[]): number {
  const own = new Set(ownThreads.map(String));
  return trace.split("\n").filter((line) => {
    const call = /^(\d+) +(.*)$/.exec(line);
    return call !== null && own.has(call[1] ?? "") && /^(v?fork|clone3?)\((?!.*CLONE_THREAD)/.test(call[2] ?? "");
  }).length;
}

/** Forks of the whole machine since boot: an upper bound where nothing can be traced. */
const machineForks = () => Number(/^processes (\d+)/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? Number.NaN);

export type ForkCount = { count: number; how: "strace" | "/proc/stat of the whole machine" };

const tracerPath = "/usr/bin/strace";

/** Watches a running process; `stop` gives what it started since. */
export function watchForks(pid: number, outFile: string): { stop(): Promise<ForkCount> } {
  if (!existsSync(tracerPath)) {
    const before = machineForks();
    return { stop: async () => ({ count: machineForks() - before, how: "/proc/stat of the whole machine" }) };
  }
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  const tracer = spawn(tracerPath, ["-f", "-qq", "-e", "trace=process", "-o", outFile, "-p", String(pid)], { stdio: "ignore" });
  return {
    async stop() {
      await endTracer(tracer);
      return { count: countForks(readFileSync(outFile, "utf8"), threads), how: "strace" };
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
