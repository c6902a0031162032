import { existsSync, readFileSync } from "node:fs";
import type { RunCommand } from "../ports.ts";

/**
 * Programs that act on what the agent's service has copies of, or is kept from: `pct exec` joins all of a container's namespaces, a mount that is
 * taken away in the service's own mounts stays on the node, and its /var/tmp is another one.
 */
const ofTheNode: ReadonlySet<string> = new Set(["pct", "umount", "rm"]);

/** As createRunCommand(). */
const defaultTimeoutMs = 10_000;

/**
 * Arguments of systemd-run that have PID 1 run a program as the node's own: with its mounts and privileges, our pipes, and the program's exit code.
 * What outlives us is ended by systemd. Its start and end are no news for the journal.
 */
export function systemdRun(file: string, args: readonly string[], timeoutMs: number): string[] {
  const properties = ["LogLevelMax=warning", `RuntimeMaxSec=${Math.ceil(timeoutMs / 1000)}`, "TimeoutStopSec=5"];
  return [
    ...["--quiet", "--pipe", "--wait", "--collect", "--setenv=LC_ALL=C.UTF-8"],
    ...properties.map((property) => `--property=${property}`),
    "--",
    file,
    ...args.map(asWritten),
  ];
}

/** PID 1 puts its environment in for `$NAME` and makes one `$` of two, as in a unit's `ExecStart=`; the option against it is newer than Debian 12. */
const asWritten = (arg: string) => arg.replaceAll("$", "$$$$");

/** `run`, but for programs that need the node itself: where this process is `confined`, those run outside of its service. */
export function createHostCommand(run: RunCommand, confined: boolean): RunCommand {
  if (!confined) return run;
  return (file, args, options = {}) =>
    ofTheNode.has(file)
      ? run("systemd-run", systemdRun(file, args, options.timeoutMs ?? defaultTimeoutMs), options)
      : run(file, args, options);
}

/** True in our unit: `NoNewPrivileges=` stands in the kernel's own record of a process, and nothing takes it back. False in an administrator's shell. */
export function isConfined(): boolean {
  return existsSync("/run/systemd/system") && /^NoNewPrivs:\s*1$/m.test(readFileSync("/proc/self/status", "utf8"));
}
