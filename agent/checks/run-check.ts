import type { CheckRecord, RestoreCheck } from "#protocol/restore.ts";
import { asText, parseJsonObject } from "../core/values.ts";
import type { CheckTarget, RunCheck } from "../restore/ports.ts";
import { checkWord } from "../sandbox/network.ts";
import { tryInGuest } from "./guest-checks.ts";
import type { GuestDeps } from "./guest-commands.ts";
import { isNetworkCheck, type NetworkCheck, type NetworkRequest } from "./network-checks.ts";
import { tryScript } from "./script.ts";
import { readSecret } from "./secrets.ts";
import { failed, impossible, printable, timeoutMsOf, untilPassed, type Verdict } from "./verdict.ts";

export type CheckDeps = GuestDeps & {
  /** Below it lie /etc/proven/checks.d and /etc/proven/restore-secrets.toml. */
  root: string;
  /** Program and arguments that start this very agent anew; `sandbox-check` is added. */
  self: readonly string[];
};

/** Time the process in the namespace has to start and to end beside the check's own, ms. */
const childGraceMs = 10_000;

export function createRunCheck(deps: CheckDeps): RunCheck {
  return async (check, target, signal) => {
    const startedMs = deps.clock.monotonicMs();
    const verdict = await runOne(deps, check, target, signal);
    return recordOf(check, verdict, Math.round(deps.clock.monotonicMs() - startedMs));
  };
}

function recordOf({ name, kind }: RestoreCheck, verdict: Verdict, durationMs: number): CheckRecord {
  const text = verdict.is === "passed" ? verdict.saw : verdict.is === "failed" ? verdict.problem : verdict.why;
  const state = verdict.is === "impossible" ? "skipped" : verdict.is;
  return { name, kind, state, reason: printable(text, 2000) || state, durationMs };
}

async function runOne(deps: CheckDeps, check: RestoreCheck, target: CheckTarget, signal: AbortSignal): Promise<Verdict> {
  if (signal.aborted) return impossible("cancelled");
  if (isNetworkCheck(check)) return runInSandbox(deps, check, target, signal);
  const timeoutMs = timeoutMsOf(check);
  if (check.kind === "script") {
    return untilPassed(
      (attempt, ms) => tryScript(deps, check.script, target, attempt, ms),
      timeoutMs,
      deps.clock,
      signal,
      timeoutMs,
    );
  }
  if (check.kind === "agent-ping" && target.type === "lxc") return impossible("a container has no guest agent");
  if (!target.inside)
    return impossible(target.type === "qemu" ? "the guest agent does not answer" : "the container does not run");
  const longestMs = check.kind === "exec" ? timeoutMs : undefined;
  return untilPassed((attempt, ms) => tryInGuest(deps, check, target, attempt, ms), timeoutMs, deps.clock, signal, longestMs);
}

/** In a process of its own, because only a process can be in a namespace. */
async function runInSandbox(deps: CheckDeps, check: NetworkCheck, target: CheckTarget, signal: AbortSignal): Promise<Verdict> {
  const { sandbox, address } = target;
  if (sandbox === undefined) return impossible("there is no sandbox to check from");
  if (address === undefined) return impossible("the guest has no address in the sandbox");
  const request: NetworkRequest = { check, address };
  if (check.kind === "ssh") {
    const secret = await readSecret(deps.root, check.secret);
    if (!secret.ok) return impossible(secret.problem);
    request.secret = secret.secret;
  }
  const args = ["netns", "exec", sandbox.netns, ...deps.self, checkWord];
  const timeoutMs = timeoutMsOf(check) + childGraceMs;
  const result = await deps.run("ip", args, { timeoutMs, maxBytes: 1 << 20, input: JSON.stringify(request), signal });
  if (signal.aborted) return impossible("cancelled");
  if (!result.ok) return impossible(`the check could not be run: ${result.problem}`);
  return (
    parseVerdict(result.stdout) ??
    impossible(`the check could not be run: ${printable(result.stderr, 300) || `exit code ${result.code}`}`)
  );
}

function parseVerdict(text: string): Verdict | undefined {
  const json = parseJsonObject(text);
  const word = (key: string) => asText(json?.[key]) ?? "";
  if (json?.is === "passed") return { is: "passed", saw: word("saw") };
  if (json?.is === "failed") return failed(word("problem"));
  return json?.is === "impossible" ? impossible(word("why")) : undefined;
}
