import type { RunCommand } from "../ports.ts";

/** Debian's package for each program we run. */
const packages: Readonly<Record<string, string>> = {
  ip: "iproute2",
  nft: "nftables",
  dnsmasq: "dnsmasq-base",
  perl: "perl-base",
  sysctl: "procps",
  kill: "procps",
};

/** A step that did not work; its message is for the admin. */
export class SandboxProblem extends Error {}

export type Commands = {
  /** What it printed; throws SandboxProblem. */
  must(file: string, args: readonly string[], input?: string): Promise<string>;
  /** What it printed; undefined: it failed, or isn't there. */
  try(file: string, args: readonly string[]): Promise<string | undefined>;
};

export function createCommands(run: RunCommand): Commands {
  const options = { timeoutMs: 10_000, maxBytes: 1 << 20 };
  return {
    async must(file, args, input) {
      const result = await run(file, args, input === undefined ? options : { ...options, input });
      const program = file === "ip" && args[0] === "netns" && args[1] === "exec" ? (args[3] as string) : file;
      if (!result.ok) throw new SandboxProblem(withRemedy(result.problem, program));
      if (result.code === 0) return result.stdout;
      const words = (result.stderr.trim() || result.stdout.trim() || `exit code ${result.code}`).slice(0, 300);
      throw new SandboxProblem(withRemedy(`${program} ${args.at(0) ?? ""}: ${words}`, program));
    },
    async try(file, args) {
      const result = await run(file, args, options);
      return result.ok && result.code === 0 ? result.stdout : undefined;
    },
  };
}

function withRemedy(problem: string, program: string): string {
  // `ip netns exec` says `exec of "dnsmasq" failed: No such file or directory`.
  const missing = /not installed$|exec of .* failed: No such file/.test(problem);
  const name = packages[program];
  return missing && name !== undefined ? `${program} is not installed: apt install ${name}` : problem;
}
