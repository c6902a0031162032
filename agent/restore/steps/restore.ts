import { createHash } from "node:crypto";
import { judgeContainer, stripContainerFile, unlockContainerFile } from "../../core/restore/isolate-container.ts";
import { judgeVm, stripVmCall } from "../../core/restore/isolate-vm.ts";
import type { Isolation, IsolationPlan, JudgedPhase, Mismatch } from "../../core/restore/isolation.ts";
import { restoreCause } from "../../core/restore/node-fault.ts";
import { fullBelowBytes, gib } from "../../core/restore/resources.ts";
import { restoredBytes, restoreFraction } from "../../core/restore/task-progress.ts";
import { commandEnded, type Done, TestGuest } from "../guest.ts";
import { type Read, tellError } from "../node-view.ts";
import type { SandboxHandle } from "../ports.ts";
import type { StepResult, TestRun } from "../run.ts";
import { backupGone } from "./prepare.ts";

/** A change that was not made. What is the node's fault is no word against the backup. */
export function notDone(what: string, done: Extract<Done, { ok: false }>): { failed: string; outcome?: "refused" } {
  const { problem, cause } = done;
  return cause === undefined
    ? { failed: `${what}: ${problem}` }
    : { failed: `${what}: ${cause} (${problem})`, outcome: "refused" };
}

/** What could not be read. */
const notRead = (what: string, read: Extract<Read<unknown>, { ok: false }>): { failed: string; outcome?: "refused" } => ({
  failed: `${what}: ${read.problem}`,
  ...(read.unanswered === true && { outcome: "refused" }),
});

/** The test guest between its creation and its end. */
export type Made = { guest: TestGuest; plan: IsolationPlan; isolation: Isolation; sandbox: SandboxHandle };

/** How long a lost answer may still turn into a task, ms. */
const lostAnswerMs = 20_000;
const lookEveryMs = 500;
const progressEveryMs = 2000;
/** A task that was told to end gets so long, ms. */
const endMs = 60_000;

/** Tests that share a name share a sandbox; others have one named after their operation. */
export const sandboxName = ({ id, test }: Pick<TestRun, "id" | "test">) =>
  test.sandbox ?? createHash("sha256").update(id).digest("hex").slice(0, 8);

export async function openSandbox(run: TestRun): Promise<StepResult<SandboxHandle>> {
  const name = sandboxName(run);
  run.note({ entry: "sandbox", name, open: true });
  const opened = await run.ports.sandboxes.open(name, run.id);
  if (!opened.ok) return { failed: `No sandbox can be made: ${opened.problem}`, outcome: "refused" };
  return { value: opened.sandbox, reason: `${opened.sandbox.name} at ${opened.sandbox.bridge}` };
}

/** The one call that makes the guest, and its task to the end. The number was free a moment before; PVE itself refuses a taken one. */
export async function restore(run: TestRun, isolation: Isolation, plan: IsolationPlan): Promise<StepResult<TestGuest>> {
  const { ports, test, view } = run;
  const { testVmid: vmid } = isolation;
  const guests = await view.guests();
  if (!guests.ok) return { failed: guests.problem, outcome: "refused" };
  const wasFree = guests.value.every((guest) => guest.vmid !== vmid);
  if (!wasFree) return { failed: `The number ${vmid} was taken meanwhile`, outcome: "refused" };
  const path = `/nodes/${ports.node}/${test.type}`;
  run.note({ entry: "intent", vmid, type: test.type, wasFree });
  run.note({ entry: "call", call: `POST ${path} ${JSON.stringify(plan.create)}`.slice(0, 3900) });
  run.progress({ testVmid: vmid });
  const startedMs = ports.clock.monotonicMs();
  const answer = await ports.api.post(path, plan.create);
  if (!answer.ok && answer.error.status !== 0) {
    run.note({ entry: "refused", why: tellError(answer.error) });
    const now = await view.guests();
    if (now.ok && now.value.some((guest) => guest.vmid === vmid))
      return { failed: `The number ${vmid} was taken meanwhile: ${tellError(answer.error)}`, outcome: "refused" };
    // It has read nothing of the archive yet: its own limits, rights and storages speak here.
    return { ...(await notRestored(run, `PVE refused the restore: ${tellError(answer.error)}`, {})), outcome: "refused" };
  }
  const upid = answer.ok && typeof answer.data === "string" ? answer.data : await findLostTask(run);
  if (upid === undefined) return { failed: "PVE did not answer the restore, and no task of it appeared", outcome: "refused" };
  run.note({ entry: "task", upid });
  const result = await awaitRestore(run, upid);
  if ("failed" in result) return result;
  run.measure(restoreMeasures(result.log ?? [], ports.clock.monotonicMs() - startedMs));
  const { intent } = run.state;
  if (intent === undefined) return { failed: "the journal lost its intent" };
  return { ...result, value: new TestGuest(ports, view, run, intent) };
}

/** The answer never came: the task that PVE began all the same, if there is exactly one. */
export async function findLostTask(
  run: Pick<TestRun, "state" | "view" | "ports">,
  waitMs = lostAnswerMs,
): Promise<string | undefined> {
  const { intent } = run.state;
  if (intent === undefined) return undefined;
  const { clock } = run.ports;
  const untilMs = clock.monotonicMs() + waitMs;
  for (;;) {
    const makers = await run.view.makers(intent.vmid);
    const since = Math.floor(intent.at / 1000) * 1000;
    const ours = makers.ok ? makers.value.filter((task) => task.startedAt >= since && task.user === "root@pam") : [];
    if (ours.length === 1) return ours[0]?.upid;
    if (ours.length > 1 || clock.monotonicMs() >= untilMs) return undefined;
    await clock.sleep(lookEveryMs);
  }
}

async function awaitRestore(run: TestRun, upid: string): Promise<StepResult<undefined>> {
  const { ports, signal, test, view } = run;
  const over = new AbortController();
  void tellProgress(run, upid, over.signal);
  // The test's own time ends it by the signal; this is for a clock that doesn't.
  const ended = await ports.api.awaitTask(upid, { timeoutMs: test.timeoutSec * 1000 + endMs, signal });
  over.abort();
  if (!ended.ok) await stopTask(ports, upid);
  const log = await view.taskLog(upid, 100);
  if (!ended.ok) return { failed: `The restore was ended: ${tellError(ended.error)}`, outcome: "refused", upid, log };
  const status = String(ended.data);
  if (commandEnded(status)) return { value: undefined, upid, log };
  const cause = restoreCause(status, log);
  if (cause === undefined) return notRestored(run, `The restore failed: ${status}`, { upid, log });
  return {
    failed: `The restore came to nothing, which says nothing against the backup: ${cause} (${status})`,
    outcome: "refused",
    upid,
    log,
  };
}

/** A backup that was pruned while it was waited for or read is gone, not bad. */
async function notRestored(run: TestRun, failed: string, notes: { upid?: string; log?: string[] }) {
  const gone = await backupGone(run);
  return gone === undefined
    ? { failed, ...notes }
    : { failed: `${gone} any more (${failed})`, outcome: "refused" as const, ...notes };
}

/** Tells how far the restore is whenever its task says something of it, until it is over. */
async function tellProgress({ ports, view, progress }: TestRun, upid: string, over: AbortSignal): Promise<void> {
  for (let known = 0; !over.aborted; ) {
    await ports.clock.sleep(progressEveryMs, over);
    const lines = over.aborted ? [] : await view.logBehind(upid, known);
    const fraction = restoreFraction(lines);
    known = lines.at(-1)?.n ?? known;
    // What comes late would stand beside the next step.
    if (fraction !== undefined && !over.aborted) progress({ fraction });
  }
}

/** Ends a task and waits for its end. Undefined: it is over. */
export async function stopTask({ api, node }: TestRun["ports"], upid: string): Promise<string | undefined> {
  await api.delete(`/nodes/${node}/tasks/${encodeURIComponent(upid)}`);
  const ended = await api.awaitTask(upid, { timeoutMs: endMs });
  return ended.ok ? undefined : tellError(ended.error);
}

function restoreMeasures(log: readonly string[], tookMs: number): { restoreMs: number; restoreBytes?: number } {
  const bytes = restoredBytes(log);
  return { restoreMs: Math.round(tookMs), ...(bytes !== undefined && { restoreBytes: bytes }) };
}

/** The written configuration against what was asked, read at this moment. Any difference ends the test. */
export async function compare(
  { guest, plan, isolation }: Made,
  phase: JudgedPhase,
): Promise<StepResult<Readonly<Record<string, unknown>>>> {
  const written = await guest.config();
  if (!written.ok) return notRead("The written configuration can't be read", written);
  const judge = guest.type === "qemu" ? judgeVm : judgeContainer;
  const mismatches = judge(written.value, plan, isolation, phase);
  if (mismatches.length === 0) return { value: written.value };
  const log = mismatches.map(tellMismatch);
  // PVE's doing, or somebody's who was there before us: the backup has no part in it.
  return { failed: `The written configuration is not what was asked: ${log.slice(0, 5).join("; ")}`, outcome: "refused", log };
}

const tellMismatch = ({ key, found, wanted }: Mismatch) => `${key} is "${found}", not "${wanted}"`;

/** A storage that ran full while it was restored may hold a copy that nobody can trust, though PVE said `OK`. */
export async function judgeSpace({ view }: TestRun, storage: string): Promise<string | undefined> {
  const state = await view.storage(storage);
  if (!state.ok) return state.problem;
  if (state.value.availBytes >= fullBelowBytes) return undefined;
  return `The storage ${storage} has only ${gib(state.value.availBytes)} left: the copy may be cut short though PVE said OK`;
}

/** Takes away what must not be there when it starts, and the firewall file that came along. It stays locked. */
export async function strip(run: TestRun, made: Made): Promise<StepResult<undefined>> {
  const { guest, plan } = made;
  const firewall = await guest.removeFirewallFile();
  if (!firewall.ok) return notDone("The firewall rules that came along could not be removed", firewall);
  return guest.type === "qemu" ? stripVm(guest, plan) : stripContainer(run, guest);
}

async function stripVm(guest: TestGuest, plan: IsolationPlan): Promise<StepResult<undefined>> {
  const call = stripVmCall(plan);
  if (call === undefined) return { value: undefined, reason: "Nothing to take away" };
  const done = await guest.configure(call);
  if (!done.ok) return notDone("What must not be there could not be taken away", done);
  return { value: undefined, log: Object.entries(call).map(([key, value]) => `${key}: ${value}`) };
}

async function stripContainer({ view }: TestRun, guest: TestGuest): Promise<StepResult<undefined>> {
  const text = await view.guestText("lxc", guest.vmid);
  if (!text.ok || text.value === undefined) return { failed: text.ok ? "Its configuration is gone" : text.problem };
  const stripped = stripContainerFile(text.value);
  if (stripped.removed.length === 0) return { value: undefined, reason: "Nothing to take away" };
  const done = await guest.rewrite(text.value, stripped.text);
  if (!done.ok) return notDone("What must not be there could not be taken away", done);
  return { value: undefined, log: stripped.removed.map((key) => `${key} removed`) };
}

/** The last thing before the start. */
export async function unlock({ view }: TestRun, { guest }: Made): Promise<StepResult<undefined>> {
  if (guest.type === "qemu") {
    const done = await guest.configure({ delete: "lock", skiplock: "1" });
    return done.ok ? { value: undefined } : notDone("It could not be unlocked", done);
  }
  const problem = await unlockContainer(view, guest);
  return problem === undefined ? { value: undefined } : { failed: `It could not be unlocked: ${problem}` };
}

/** Undefined: it is unlocked. */
export async function unlockContainer(view: TestRun["view"], guest: TestGuest): Promise<string | undefined> {
  const text = await view.guestText("lxc", guest.vmid);
  if (!text.ok) return text.problem;
  const unlocked = text.value === undefined ? undefined : unlockContainerFile(text.value);
  if (text.value === undefined || unlocked === undefined) return "the lock it carries is not ours";
  const done = await guest.rewrite(text.value, unlocked);
  return done.ok ? undefined : done.problem;
}
