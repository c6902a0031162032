import { asFlag, asNumber, asObject, asText } from "../core/values.ts";
import type { Clock, RunCommand } from "../ports.ts";
import type { ApiError } from "../pve/answer.ts";
import type { PveApi } from "../pve/api.ts";
import type { CheckTarget } from "../restore/ports.ts";

/** How a command inside the guest ended. `problem`: it did not run; `disabled`: the guest forbids it, so trying again is no use. */
export type GuestRan = { ok: true; code: number | undefined; output: string } | { ok: false; problem: string; disabled: boolean };

export type GuestDeps = { api: PveApi; run: RunCommand; node: string; clock: Clock };

const lookEveryMs = 300;
const outputMaxChars = 64 << 10;

export const agentPath = (node: string, vmid: number) => `/nodes/${node}/qemu/${vmid}/agent`;

/** Through the guest agent (VM) or `pct exec` (container). */
export function runInGuest(
  deps: GuestDeps,
  target: CheckTarget,
  command: readonly string[],
  signal: AbortSignal,
  ms: number,
): Promise<GuestRan> {
  return target.type === "qemu"
    ? runByAgent(deps, target.vmid, command, signal)
    : runByPct(deps, target.vmid, command, signal, ms);
}

export function agentProblem({ status, reason }: ApiError): { ok: false; problem: string; disabled: boolean } {
  // The guest agent's own words where its administrator forbade the command (qemu qga/main.c).
  return {
    ok: false,
    problem: status === 0 ? `local API: ${reason}` : reason.slice(0, 300),
    disabled: /has been disabled/.test(reason),
  };
}

/**
 * `agent/exec` and `agent/exec-status` (qemu-server `PVE/API2/Qemu/Agent.pm`). The status is consumed once `exited` was told. Its fields after PVE's
 * API documentation; the recorded node had no guest agent.
 */
async function runByAgent(
  { api, node, clock }: GuestDeps,
  vmid: number,
  command: readonly string[],
  signal: AbortSignal,
): Promise<GuestRan> {
  const path = agentPath(node, vmid);
  const started = await api.post(`${path}/exec`, { command });
  if (!started.ok) return agentProblem(started.error);
  const pid = asNumber(asObject(started.data)?.pid);
  if (!Number.isInteger(pid)) return { ok: false, problem: "the guest agent named no process", disabled: false };
  while (!signal.aborted) {
    const answer = await api.get(`${path}/exec-status`, { pid });
    if (!answer.ok) return agentProblem(answer.error);
    const status = asObject(answer.data);
    if (asFlag(status?.exited)) {
      const code = asNumber(status?.exitcode);
      const output = `${asText(status?.["out-data"]) ?? ""}${asText(status?.["err-data"]) ?? ""}`;
      return { ok: true, code: Number.isInteger(code) ? code : undefined, output: output.slice(0, outputMaxChars) };
    }
    await clock.sleep(lookEveryMs, signal);
  }
  return { ok: false, problem: "the command did not end in time", disabled: false };
}

/** `pct exec` ends with the command's own exit code. */
async function runByPct(
  { run }: GuestDeps,
  vmid: number,
  command: readonly string[],
  signal: AbortSignal,
  ms: number,
): Promise<GuestRan> {
  const result = await run("pct", ["exec", String(vmid), "--", ...command], { timeoutMs: ms, maxBytes: 4 << 20, signal });
  if (!result.ok) return { ok: false, problem: result.problem, disabled: false };
  return { ok: true, code: result.code, output: `${result.stdout}${result.stderr}`.slice(0, outputMaxChars) };
}
