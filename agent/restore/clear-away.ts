import { type Ownership, whyNotOurs } from "../core/restore/ours.ts";
import { TestGuest } from "./guest.ts";
import { removeTraces } from "./leftovers.ts";
import type { StepResult, TestRun } from "./run.ts";
import { findLostTask, stopTask, unlockContainer } from "./steps/restore.ts";

/** PVE's own `qm cleanup` may hold a lock for 30 s after a stop; a stop is tried again so long, ms. */
const tryForMs = 60_000;
const tryEveryMs = 4000;
const stopMs = 60_000;
const destroyMs = 300_000;
/** Without an answer to the create call, and without a task, a guest may still appear so long after, ms. */
const lateGuestMs = 60_000;

type Found = "gone" | "ours" | string;

/**
 * Removes what a test made, from its journal alone: the same after a test that ended and for one whose agent died. Gives what is left, a sentence
 * each. Touches nothing that is not provably the test's at the moment of touching it. `again`: it was seen although it had been destroyed.
 */
export async function clearAway(run: TestRun, { again = false } = {}): Promise<string[]> {
  const leftovers: string[] = [];
  const { intent, gone } = run.state;
  if (intent !== undefined && (again || !gone)) leftovers.push(...(await clearGuest(run, intent)));
  const { sandbox } = run.state;
  if (sandbox !== undefined) {
    const left = await closeSandbox(run, sandbox);
    if (left === undefined) run.note({ entry: "sandbox", name: sandbox, open: false });
    else leftovers.push(left);
  }
  return leftovers;
}

async function closeSandbox(run: TestRun, name: string): Promise<string | undefined> {
  try {
    return await run.ports.sandboxes.close(name, run.id);
  } catch (error) {
    return `The sandbox ${name} could not be closed: ${String(error)}`;
  }
}

async function clearGuest(run: TestRun, intent: NonNullable<TestRun["state"]["intent"]>): Promise<string[]> {
  const leftovers: string[] = [];
  const guest = new TestGuest(run.ports, run.view, run, intent);
  await run.record("stop", async () => {
    await endRestore(run);
    const found = await look(run, guest);
    if (found !== "ours") return { value: undefined, state: "skipped", reason: found === "gone" ? "There is no guest" : found };
    return stopGuest(run, guest);
  });
  await run.record("destroy", async (): Promise<StepResult<undefined>> => {
    const result = await destroyGuest(run, guest);
    const traces = await removeTraces(run.ports, run.state.intent ?? intent, result.state === "gone" ? "gone" : "not-ours");
    leftovers.push(...traces);
    if (result.state === "gone") run.note({ entry: "gone" });
    else leftovers.push(result.problem);
    const { upid, log } = result;
    if (result.state !== "gone") return { failed: result.problem, upid, log };
    return { value: undefined, upid, log, ...(result.nothing && { state: "skipped", reason: "There was nothing to destroy" }) };
  });
  return leftovers;
}

/** The restore's task is over after this: nothing makes the guest any more. */
async function endRestore(run: TestRun): Promise<void> {
  const { intent } = run.state;
  if (intent === undefined) return;
  if (intent.upid === undefined) {
    const waitMs = Math.max(0, Math.min(lateGuestMs, intent.at + lateGuestMs - run.ports.clock.now()));
    const upid = await findLostTask(run, waitMs);
    if (upid !== undefined) run.note({ entry: "task", upid });
  }
  const { upid } = run.state.intent ?? {};
  if (upid === undefined) return;
  const makers = await run.view.makers(intent.vmid);
  const running = makers.ok && makers.value.some((task) => task.upid === upid && task.running);
  if (!running) return;
  run.note({ entry: "call", call: `DELETE the task ${upid}` });
  const problem = await stopTask(run.ports, upid);
  run.note({ entry: "answer", ok: problem === undefined, text: problem ?? "" });
}

async function look(run: TestRun, guest: TestGuest): Promise<Found> {
  for (let attempt = 0; ; attempt++) {
    const owned = await guest.ownership();
    if (owned.ok && owned.value.ours) return "ours";
    if (owned.ok && !owned.value.ours && owned.value.why === "gone") return "gone";
    const problem = owned.ok ? notTouched(guest, owned.value) : `Whether ${guest.vmid} is ours can't be told: ${owned.problem}`;
    const passing = !owned.ok || (!owned.value.ours && owned.value.why === "task-runs");
    if (!passing || attempt >= tryForMs / tryEveryMs) return problem;
    await run.ports.clock.sleep(tryEveryMs);
  }
}

const notTouched = ({ vmid }: TestGuest, owned: Ownership) =>
  owned.ours ? "" : `Guest ${vmid} was left alone: ${whyNotOurs[owned.why]}`;

async function stopGuest(run: TestRun, guest: TestGuest): Promise<StepResult<undefined>> {
  const running = await guest.isRunning();
  if (running.ok && !running.value) return { value: undefined, state: "skipped", reason: "It does not run" };
  const { clock } = run.ports;
  const untilMs = clock.monotonicMs() + tryForMs;
  for (;;) {
    await freeOfLock(run, guest);
    const done = await guest.stop(stopMs);
    const now = await guest.isRunning();
    if (now.ok && !now.value) return { value: undefined, ...notes(done) };
    const problem = done.ok ? "it still runs" : done.problem;
    if (clock.monotonicMs() + tryEveryMs > untilMs) return { failed: `It could not be stopped: ${problem}`, ...notes(done) };
    await clock.sleep(tryEveryMs);
  }
}

const notes = ({ upid, log }: { upid?: string | undefined; log: string[] }) => ({ upid, log });

type Destroyed = { upid?: string | undefined; log?: readonly string[] } & (
  | { state: "gone"; nothing: boolean }
  | { state: "left"; problem: string }
);

async function destroyGuest(run: TestRun, guest: TestGuest): Promise<Destroyed> {
  const { clock } = run.ports;
  const untilMs = clock.monotonicMs() + tryForMs;
  let last: { upid?: string | undefined; log: string[] } = { log: [] };
  for (let deleted = false; ; ) {
    const found = await look(run, guest);
    if (found === "gone") return { state: "gone", nothing: !deleted, ...last };
    if (found !== "ours") return { state: "left", problem: found, ...last };
    const problem = await destroyOnce(run, guest, (done) => {
      last = notes(done);
      deleted = true;
    });
    if (problem === undefined) continue;
    if (clock.monotonicMs() + tryEveryMs > untilMs)
      return { state: "left", problem: `Guest ${guest.vmid} could not be destroyed: ${problem}`, ...last };
    await clock.sleep(tryEveryMs);
  }
}

/** PVE destroys no locked container, and stops none that somebody started past its lock; a VM is told to skip it. Undefined: it has none any more. */
async function freeOfLock(run: TestRun, guest: TestGuest): Promise<string | undefined> {
  if (guest.type !== "lxc") return undefined;
  const text = await run.view.guestText("lxc", guest.vmid);
  const locked = text.ok && text.value !== undefined && /^lock\s*[:=]/m.test(text.value);
  return locked ? unlockContainer(run.view, guest) : undefined;
}

/** Undefined: PVE says that it is gone. */
async function destroyOnce(
  run: TestRun,
  guest: TestGuest,
  told: (done: { upid?: string | undefined; log: string[] }) => void,
): Promise<string | undefined> {
  const running = await guest.isRunning();
  if (running.ok && running.value) {
    await freeOfLock(run, guest); // another's lock stays, and PVE says whose
    const stopped = await guest.stop(stopMs);
    if (!stopped.ok) return stopped.problem;
  }
  const traces = await removeTraces(run.ports, run.state.intent ?? guest.intent, "ours");
  if (traces.length > 0) return traces.join("; ");
  const locked = await freeOfLock(run, guest);
  if (locked !== undefined) return locked;
  const done = await guest.destroy(destroyMs);
  told(done);
  return done.ok ? undefined : done.problem;
}
