import { asNumber, asObject, asObjects, asText } from "../core/values.ts";
import type { CheckTarget } from "../restore/ports.ts";
import { agentPath, agentProblem, type GuestDeps, type GuestRan, runInGuest } from "./guest-commands.ts";
import type { CheckOf } from "./network-checks.ts";
import { failed, impossible, passed, printable, quoted, type Verdict } from "./verdict.ts";

export type GuestCheck = CheckOf<"agent-ping" | "exec" | "filesystems" | "process" | "service">;

/** One attempt at a check that is made inside the guest. */
export async function tryInGuest(
  deps: GuestDeps,
  check: GuestCheck,
  target: CheckTarget,
  signal: AbortSignal,
  ms: number,
): Promise<Verdict> {
  const run = (command: readonly string[]) => runInGuest(deps, target, command, signal, ms);
  switch (check.kind) {
    case "agent-ping":
      return pingAgent(deps, target);
    case "exec":
      return judgeExec(check, await run(check.command));
    case "filesystems":
      return target.type === "qemu" ? askFilesystems(deps, target.vmid) : judgeDf(await run(["df", "-P", "-k"]));
    case "process":
      // The kernel keeps 15 characters of a name, and pgrep takes a pattern.
      return judgeProcess(check.process, await run(["pgrep", "-x", "--", escapePattern(check.process.slice(0, 15))]));
    case "service":
      return judgeService(check.unit, await run(["systemctl", "is-active", "--", check.unit]));
  }
}

const escapePattern = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

const notRun = (ran: Extract<GuestRan, { ok: false }>): Verdict =>
  ran.disabled ? impossible(`the guest does not allow it: ${printable(ran.problem, 200)}`) : failed(printable(ran.problem, 300));

async function pingAgent({ api, node }: GuestDeps, { type, vmid }: CheckTarget): Promise<Verdict> {
  if (type === "lxc") return impossible("a container has no guest agent");
  const answer = await api.post(`${agentPath(node, vmid)}/ping`);
  return answer.ok ? passed("the guest agent answers") : notRun(agentProblem(answer.error));
}

function judgeExec(check: CheckOf<"exec">, ran: GuestRan): Verdict {
  if (!ran.ok) return notRun(ran);
  if (ran.code !== 0)
    return failed(`ended with ${ran.code === undefined ? "a signal" : `exit code ${ran.code}`}${quoted(ran.output)}`);
  if (check.text !== undefined && !ran.output.includes(check.text)) {
    return failed(`its output does not hold ${JSON.stringify(check.text)}${quoted(ran.output)}`);
  }
  return passed(`exit code 0${quoted(ran.output, 200)}`);
}

/** `get-fsinfo`: QEMU's `guest-get-fsinfo`, in `result`; see sources/guest-agent.ts. One without its size is not readable. */
async function askFilesystems({ api, node }: GuestDeps, vmid: number): Promise<Verdict> {
  const answer = await api.get(`${agentPath(node, vmid)}/get-fsinfo`);
  if (!answer.ok) return notRun(agentProblem(answer.error));
  const result = asObject(answer.data)?.result;
  const entries = asObjects(result);
  return judgeFilesystems(
    entries.map((entry) => ({
      mount: asText(entry.mountpoint) ?? asText(entry.name) ?? "?",
      bytes: asNumber(entry["total-bytes"]),
    })),
  );
}

/** `df -P -k`: device, 1024-byte blocks, used, available, capacity, mount point. */
function judgeDf(ran: GuestRan): Verdict {
  if (!ran.ok) return notRun(ran);
  const rows = ran.output.split("\n").flatMap((line) => /^\S+\s+(\d+)\s+\d+\s+\d+\s+\S+\s+(\/.*)$/.exec(line) ?? []);
  const found: { mount: string; bytes: number }[] = [];
  for (let i = 0; i + 2 < rows.length; i += 3) found.push({ mount: rows[i + 2] as string, bytes: Number(rows[i + 1]) * 1024 });
  if (ran.code !== 0 && found.length === 0) return failed(`df ended with exit code ${ran.code}${quoted(ran.output)}`);
  // Kernel file systems of a container have no size by nature; its own disks always have one.
  return judgeFilesystems(found.filter(({ mount, bytes }) => bytes > 0 || mount === "/"));
}

function judgeFilesystems(found: readonly { mount: string; bytes: number }[]): Verdict {
  if (found.length === 0) return failed("no file system is mounted");
  const bad = found.filter(({ bytes }) => !(bytes > 0)).map(({ mount }) => printable(mount, 60));
  if (bad.length > 0) return failed(`without a size: ${bad.slice(0, 10).join(", ")}`);
  return passed(`${found.length} mounted: ${printable(found.map(({ mount }) => mount).join(", "), 200)}`);
}

function judgeProcess(name: string, ran: GuestRan): Verdict {
  if (!ran.ok) return notRun(ran);
  if (ran.code === 0) return passed(`runs as process ${printable(ran.output.split("\n")[0] ?? "", 20)}`);
  return ran.code === 1
    ? failed(`no process ${name} runs`)
    : failed(`pgrep ended with exit code ${ran.code}${quoted(ran.output)}`);
}

function judgeService(unit: string, ran: GuestRan): Verdict {
  if (!ran.ok) return notRun(ran);
  const state = printable(ran.output.split("\n")[0] ?? "", 60);
  return ran.code === 0
    ? passed(`${unit} is active`)
    : failed(`${unit} is ${state === "" ? `not active (exit code ${ran.code})` : state}`);
}
