import type { RestoreCheck } from "#protocol/restore.ts";
import type { Clock, RunCommand } from "../ports.ts";
import { probeMysql, probePostgresql } from "./probes/databases.ts";
import { probeDns } from "./probes/names.ts";
import { probeIcmp, probeSsh } from "./probes/shell.ts";
import { probeHttp, probeTcp, probeTls } from "./probes/web.ts";
import type { Secret } from "./secrets.ts";
import { impossible, timeoutMsOf, untilPassed, type Verdict } from "./verdict.ts";

export type CheckOf<Kind extends RestoreCheck["kind"]> = Extract<RestoreCheck, { kind: Kind }>;

const networkKinds = ["icmp", "tcp", "http", "tls", "dns", "ssh", "postgresql", "mysql"] as const;
export type NetworkCheck = CheckOf<(typeof networkKinds)[number]>;

export const isNetworkCheck = (check: RestoreCheck): check is NetworkCheck =>
  (networkKinds as readonly string[]).includes(check.kind);

export type NetworkRequest = { check: NetworkCheck; address: string; secret?: Secret };

/** Runs where it is called: inside a sandbox' namespace, in a process of its own. Tries until the check's time is over. */
export function runNetworkCheck(request: NetworkRequest, clock: Clock, run: RunCommand, signal: AbortSignal): Promise<Verdict> {
  const timeoutMs = timeoutMsOf(request.check);
  const longestMs = request.check.kind === "ssh" ? timeoutMs : undefined;
  return untilPassed((attempt, ms) => probe(request, clock, run, attempt, ms), timeoutMs, clock, signal, longestMs);
}

async function probe(
  { check, address, secret }: NetworkRequest,
  clock: Clock,
  run: RunCommand,
  signal: AbortSignal,
  ms: number,
): Promise<Verdict> {
  switch (check.kind) {
    case "icmp":
      return probeIcmp(address, run);
    case "tcp":
      return probeTcp(check, address, signal);
    case "http":
      return probeHttp(check, address, signal);
    case "tls":
      return probeTls(check, address, signal, clock.now());
    case "dns":
      return probeDns(check, address, signal, ms);
    case "ssh":
      return secret === undefined ? impossible("no secret came along") : probeSsh(check, address, secret, signal, ms);
    case "postgresql":
      return probePostgresql(check, address, signal);
    case "mysql":
      return probeMysql(check, address, signal);
  }
}
