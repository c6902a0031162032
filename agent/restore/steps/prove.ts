import type { CheckRecord, RestoreCheck } from "#protocol/restore.ts";
import { ownAddresses, startsOwnProgram } from "../../core/restore/isolate-container.ts";
import { asksService, bootsLinked, checksNeedLink, furtherDevices, linksUp, nodeAsks } from "../../core/restore/link-up.ts";
import { judgeChecks } from "../../core/restore/verdict.ts";
import type { TestGuest } from "../guest.ts";
import { execInGuest } from "../guest-exec.ts";
import { tellError } from "../node-view.ts";
import type { CheckTarget } from "../ports.ts";
import type { StepResult, TestRun } from "../run.ts";
import { memoryProblem } from "./prepare.ts";
import { compare, type Made, notDone } from "./restore.ts";

const startMs = 180_000;
const lookEveryMs = 2000;
const checkMs = 60_000;

/** What is known of the running guest. */
export type Alive = { startedMs: number; inside: boolean; address: string | undefined };

export type Started = { startedMs: number; linked: boolean };

/** Only what was judged once more, now without its lock, is started; where its network counts, with its links, on the sandbox' bridge. */
export async function start(run: TestRun, made: Made, expectsAgent: boolean): Promise<StepResult<Started>> {
  const judged = await compare(made, { stripped: true, locked: false });
  if ("failed" in judged) return judged;
  // Hours may have gone by since the preflight.
  const memory = await memoryProblem(run, made.isolation.memoryMib ?? 0);
  if (memory !== undefined) return { failed: memory, outcome: "refused" };
  const links = bootsLinked(run.test, expectsAgent, judged.value) ? linksUp(judged.value) : undefined;
  const linked = links === undefined ? undefined : await setLinks(run, made, links.params);
  if (linked !== undefined && "failed" in linked) return linked;
  const startedMs = run.ports.clock.monotonicMs();
  const { type, vmid } = made.guest;
  run.claim({ guest: { type, vmid } });
  const done = await made.guest.start(startMs, run.signal);
  const { upid, log } = done;
  if (!done.ok) return { ...notDone("It could not be started", done), upid, log };
  return { value: { startedMs, linked: links !== undefined }, upid, log };
}

/** Judged behind it: a card that is anywhere else by now ends the test. */
async function setLinks(
  run: TestRun,
  made: Made,
  params: Readonly<Record<string, string>>,
): Promise<Awaited<ReturnType<typeof compare>>> {
  const devices = furtherDevices(made.guest.type, made.guest.vmid, Object.keys(params));
  const problem = devices.length === 0 ? undefined : await run.ports.sandboxes.part(made.sandbox, run.id, devices);
  if (problem !== undefined) return { failed: `Its cards could not be kept apart: ${problem}`, outcome: "refused" };
  const done = await made.guest.configure(params);
  if (!done.ok) return notDone("Its link could not be set", done);
  return compare(made, { stripped: true, locked: false, linked: true });
}

/** Undefined value: nothing inside answered, which its network may still make good. */
export async function heartbeat(
  run: TestRun,
  made: Made,
  startedMs: number,
  expectsAgent: boolean,
): Promise<StepResult<boolean>> {
  const { test } = run;
  if (made.guest.type === "qemu" && !expectsAgent)
    return { value: false, state: "skipped", reason: "The backed-up machine has no guest agent configured" };
  const problem = await untilAlive(run, made);
  const { clock } = run.ports;
  if (problem === undefined) {
    run.measure({ heartbeatMs: Math.round(clock.monotonicMs() - startedMs) });
    return { value: true };
  }
  return { value: false, state: "unknown", reason: `No answer from inside within ${test.bootSec} s: ${problem}` };
}

async function untilAlive(run: TestRun, made: Made): Promise<string | undefined> {
  const { clock } = run.ports;
  const untilMs = clock.monotonicMs() + run.test.bootSec * 1000;
  for (let problem = "it was not asked"; ; ) {
    const answer = await askAlive(run, made);
    if (answer === undefined) return undefined;
    problem = answer;
    if (run.signal.aborted || clock.monotonicMs() + lookEveryMs > untilMs) return problem;
    await clock.sleep(lookEveryMs, run.signal);
  }
}

async function askAlive(run: TestRun, { guest }: Made): Promise<string | undefined> {
  const { ports } = run;
  if (guest.type === "lxc") return askContainer(run, guest);
  const answer = await ports.api.post(`/nodes/${ports.node}/qemu/${guest.vmid}/agent/ping`);
  return answer.ok ? undefined : tellError(answer.error);
}

/** Of `lxc-attach`, which was inside then: the program is not there (lxc `src/lxc/attach.c` lxc_attach_run_command; not recorded). */
const noSuchProgram = 127;

/**
 * Whether something runs in it. Some systems have a shell but no `true` where it is looked for (NixOS). That neither is there shows that it runs only
 * where there was never more than one program: any other has lost its files.
 */
async function askContainer({ ports, signal }: TestRun, guest: TestGuest): Promise<string | undefined> {
  for (const command of [["true"], ["/bin/sh", "-c", ":"]]) {
    const ran = await execInGuest(ports, guest, command, { timeoutMs: 10_000, signal });
    if (!ran.ok) return ran.problem;
    if (ran.code === 0) return undefined;
    if (ran.code !== noSuchProgram) return ran.stderr.trim().slice(0, 300) || `exit code ${ran.code}`;
  }
  const config = await guest.config();
  if (!config.ok) return config.problem;
  return startsOwnProgram(config.value) ? undefined : "it holds neither true nor a shell";
}

/**
 * Waits for the guest's address, where a check needs it or nothing else shows that it lives. One that was to answer through its agent and does not
 * gets its link only now, on the sandbox' bridge.
 */
export async function network(
  run: TestRun,
  made: Made,
  inside: boolean,
  isLinked: boolean,
): Promise<StepResult<string | undefined>> {
  const { test, ports, signal } = run;
  if (inside && !checksNeedLink(test)) return { value: undefined, state: "skipped", reason: "No check needs it" };
  const before = await compare(made, { stripped: true, locked: false, linked: isLinked });
  if ("failed" in before) return before;
  const links = linksUp(before.value);
  if (links === undefined) return noNetwork(inside, "It has no network card");
  const after = isLinked && !links.down ? before : await setLinks(run, made, links.params);
  if ("failed" in after) return after;
  const own = made.guest.type === "lxc" ? ownAddresses(before.value) : [];
  const wait = ports.sandboxes.addressOf(made.sandbox, links.macs, test.bootSec * 1000, signal, own);
  const address = await run.unlessOver(wait);
  if (address === undefined) return noNetwork(inside, "It said nothing on the sandbox' network");
  const doubt = inside ? undefined : await whyNotAlive(run, made, before.value, address);
  if (doubt !== undefined) return doubt;
  return { value: address, reason: `It has ${address} in the sandbox` };
}

/** What was heard of a guest that never answered inside may be older than its end, or another's word. Undefined: it was its own, and it runs. */
async function whyNotAlive(
  run: TestRun,
  made: Made,
  written: Readonly<Record<string, unknown>>,
  address: string,
): Promise<StepResult<undefined> | undefined> {
  const { guest } = made;
  const isFirmwares = address.startsWith("fe80:") && written.bios === "ovmf";
  if (isFirmwares && !(await serves(run, made, address)))
    return noNetwork(false, "Only IPv6 was heard of it, which its firmware speaks before any system does");
  if (nodeAsks(written)) return noNetwork(false, "PVE itself asked for its address");
  const running = await guest.isRunning();
  if (!running.ok) return { failed: `Whether it still runs can't be told: ${running.problem}`, outcome: "refused" };
  return running.value ? undefined : noNetwork(false, `It had ${address} in the sandbox, and does not run any more`);
}

/** Whether one of its services answers there, which no firmware has. */
async function serves(run: TestRun, made: Made, address: string): Promise<boolean> {
  const { vmid, type } = made.guest;
  for (const check of run.test.checks.filter(asksService)) {
    const { state } = await oneCheck(run, check, { vmid, type, sandbox: made.sandbox, address, inside: false });
    if (state === "passed") return true;
    if (run.signal.aborted) return false;
  }
  return false;
}

/** A guest that answered inside lives without a network; one that gave no sign at all does not. */
function noNetwork(inside: boolean, reason: string): StepResult<undefined> {
  if (inside) return { value: undefined, state: "unknown", reason };
  return { failed: `It gave no sign of life: neither its agent nor its network answered. ${reason}` };
}

export async function runChecks(run: TestRun, made: Made, alive: Alive): Promise<StepResult<undefined>> {
  const { test, ports } = run;
  const target: CheckTarget = {
    vmid: made.guest.vmid,
    type: made.guest.type,
    sandbox: made.sandbox,
    address: alive.address,
    inside: alive.inside,
  };
  for (const check of test.checks) {
    if (run.signal.aborted) return { failed: "Ended before all checks had run" };
    const record = await oneCheck(run, check, target);
    run.note({ entry: "check", record });
    if (record.state === "passed") run.measure({ serviceMs: Math.round(ports.clock.monotonicMs() - alive.startedMs) });
  }
  const { state, reason } = judgeChecks(run.state.checks);
  if (state === "failed") return { failed: reason };
  return { value: undefined, state, reason };
}

/** A check that fails by a bug of its own is failed, with that reason. */
async function oneCheck(run: TestRun, check: RestoreCheck, target: CheckTarget): Promise<CheckRecord> {
  const { name, kind } = check;
  const over = new AbortController();
  const stop = () => over.abort();
  run.signal.addEventListener("abort", stop, { once: true });
  const timeoutMs = (check.timeoutSec ?? checkMs / 1000) * 1000;
  const { clock } = run.ports;
  const late = clock
    .sleep(timeoutMs + 5000, over.signal)
    .then((): CheckRecord => ({ name, kind, state: "failed", reason: "No answer in time" }));
  try {
    return await Promise.race([run.ports.check(check, target, over.signal), late]);
  } catch (error) {
    return { name, kind, state: "failed", reason: String(error).slice(0, 2000) };
  } finally {
    run.signal.removeEventListener("abort", stop);
    over.abort();
  }
}
