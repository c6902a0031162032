import type { RestoreCheck } from "#protocol/restore.ts";
import type { Clock } from "../ports.ts";

/**
 * What one attempt at a check came to. `impossible`: it can't be made here, whatever the guest does; it is skipped then. Texts are for the admin.
 */
export type Verdict = { is: "passed"; saw: string } | { is: "failed"; problem: string } | { is: "impossible"; why: string };

export const passed = (saw: string): Verdict => ({ is: "passed", saw });
export const failed = (problem: string): Verdict => ({ is: "failed", problem });
export const impossible = (why: string): Verdict => ({ is: "impossible", why });

/** Longest single attempt at what answers at once or not at all, ms. */
const attemptMs = 15_000;
/** Time between two attempts, ms. */
const pauseMs = 1000;

/** Without a time of its own a check has a minute. */
export const timeoutMsOf = (check: Pick<RestoreCheck, "timeoutSec">) => (check.timeoutSec ?? 60) * 1000;

/**
 * Tries until it passes, turns out to be impossible, or the time is over; then the newest attempt's verdict. Each attempt is given its own signal and
 * the ms it has, and must end when that aborts. `longestMs`: of one attempt; what runs a command has all the time there is.
 */
export async function untilPassed(
  attempt: (signal: AbortSignal, withinMs: number) => Promise<Verdict>,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
  longestMs = attemptMs,
): Promise<Verdict> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  for (let newest: Verdict = failed(`no answer within ${timeoutMs / 1000} s`); ; ) {
    const leftMs = deadlineMs - clock.monotonicMs();
    if (signal.aborted) return impossible("cancelled");
    if (leftMs <= 0) return newest;
    const verdict = await within(attempt, Math.min(leftMs, longestMs), clock, signal);
    if (verdict !== undefined && verdict.is !== "failed") return verdict;
    newest = verdict ?? newest;
    await clock.sleep(Math.min(pauseMs, Math.max(0, deadlineMs - clock.monotonicMs())), signal);
  }
}

/** Undefined: it took too long. */
async function within(
  attempt: (signal: AbortSignal, withinMs: number) => Promise<Verdict>,
  ms: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const over = new AbortController();
  const stop = () => over.abort();
  signal.addEventListener("abort", stop, { once: true });
  const late = clock.sleep(ms, over.signal).then(() => undefined);
  try {
    const verdict = attempt(over.signal, ms).catch((error: unknown): Verdict => failed(errorText(error)));
    return await Promise.race([verdict, late]);
  } finally {
    signal.removeEventListener("abort", stop);
    over.abort();
  }
}

/** An error's code or text, as one line. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: "connection refused",
    ECONNRESET: "connection reset",
    EHOSTUNREACH: "no route to the guest, or it does not answer ARP",
    ENETUNREACH: "no route to the guest",
    ETIMEDOUT: "timed out",
  };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return printable(known[code] ?? error.message ?? code, 300) || code;
}

/** What a guest said, harmless in a log or a page: one line of printable characters, cut. It is never interpreted. */
export function printable(text: string, max: number): string {
  const line = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return line.length <= max ? line : `${line.slice(0, max - 1)}…`;
}

/** The end of what a command printed, quoted; empty when it printed nothing. */
export function quoted(output: string, max = 300): string {
  const text = printable(output.slice(-4 * max), 4 * max);
  if (text === "") return "";
  return `: "${text.length <= max ? text : `…${text.slice(1 - max)}`}"`;
}
