import { asFlag, asNumber, asObject, asText } from "../core/values.ts";
import { tellError } from "./node-view.ts";
import type { RestorePorts } from "./ports.ts";

export type Ran = { ok: true; code: number; stdout: string; stderr: string } | { ok: false; problem: string };

const lookEveryMs = 500;

/** A command inside the running test guest: through its agent, whose answer is there once only, or by `pct exec`. */
export async function execInGuest(
  ports: Pick<RestorePorts, "api" | "run" | "node" | "clock">,
  guest: { type: "qemu" | "lxc"; vmid: number },
  command: readonly string[],
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<Ran> {
  if (guest.type === "lxc") {
    const result = await ports.run("pct", ["exec", String(guest.vmid), "--", ...command], { timeoutMs });
    return result;
  }
  const path = `/nodes/${ports.node}/qemu/${guest.vmid}/agent`;
  const begun = await ports.api.post(`${path}/exec`, { command });
  const pid = begun.ok ? asNumber(asObject(begun.data)?.pid) : Number.NaN;
  if (!Number.isFinite(pid))
    return { ok: false, problem: begun.ok ? "the guest agent named no process" : tellError(begun.error) };
  const untilMs = ports.clock.monotonicMs() + timeoutMs;
  while (!signal.aborted && ports.clock.monotonicMs() < untilMs) {
    const answer = await ports.api.get(`${path}/exec-status`, { pid });
    if (!answer.ok) return { ok: false, problem: tellError(answer.error) };
    const status = asObject(answer.data);
    if (asFlag(status?.exited)) return exitOf(status);
    await ports.clock.sleep(lookEveryMs, signal);
  }
  return { ok: false, problem: `no end within ${Math.round(timeoutMs / 1000)} s` };
}

function exitOf(status: ReturnType<typeof asObject>): Ran {
  const code = asNumber(status?.exitcode);
  if (!Number.isFinite(code)) return { ok: false, problem: `it was ended by signal ${String(status?.signal ?? "?")}` };
  return { ok: true, code, stdout: asText(status?.["out-data"]) ?? "", stderr: asText(status?.["err-data"]) ?? "" };
}
