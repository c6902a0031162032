import type { RangeStranger } from "#protocol/inventory.ts";
import type { RestoreReport, RestoreStep } from "#protocol/restore.ts";
import { type OperationState, owesCleaning } from "../core/restore/journal.ts";
import { whyNotOurs } from "../core/restore/ours.ts";
import { restoreReport } from "../core/restore/report.ts";
import { clearAway } from "./clear-away.ts";
import { TestGuest } from "./guest.ts";
import type { Journals } from "./journal.ts";
import { keptUntil } from "./machine.ts";
import { NodeView } from "./node-view.ts";
import type { RestorePorts } from "./ports.ts";
import { type StepResult, TestRun } from "./run.ts";

/**
 * After the agent died in a test: waits out what is promised to be kept, then clears away what the journal says. The test is `interrupted` whatever
 * it had proven; the level says how far it came. Only what had failed when it came to `keep` has failed: what was refused never comes there.
 */
export async function recover(run: TestRun): Promise<RestoreReport> {
  const { state, ports } = run;
  const mayStay = state.keptUntil !== undefined && state.intent !== undefined && !state.gone && !state.cancelled;
  if (mayStay) await run.record("keep", () => keepOn(run));
  const leftovers = await clearAway(run);
  return restoreReport(run.state, run.test, {
    node: ports.node,
    ...endOf(run),
    endedAt: ports.clock.now(),
    leftovers,
  });
}

const saysNothing = new Set<RestoreStep>(["screenshot", "keep", "stop", "destroy"]);

function endOf(run: TestRun): Pick<RestoreReport, "outcome" | "reason"> {
  const { steps, cancelled } = run.state;
  const isJudged = steps.some(({ step }) => step === "keep");
  const failed = steps.find(({ step, state }) => state === "failed" && !saysNothing.has(step));
  if (isJudged && failed !== undefined) return { outcome: "failed", reason: failed.reason ?? `${failed.step} failed` };
  if (cancelled)
    return { outcome: "cancelled", reason: "Cancelled; the agent ended before it was cleared away, and has done that now" };
  return { outcome: "interrupted", reason: interruptedReason(run) };
}

/** The guest runs on without its agent; of its sandbox at least the bridge. */
async function keepOn(run: TestRun): Promise<StepResult<undefined>> {
  const { sandbox } = run.state;
  const opened = sandbox === undefined ? undefined : await run.ports.sandboxes.open(sandbox, run.id);
  const reason = `Kept on after the agent's restart${opened === undefined ? "" : `: ${sandboxAfterwards(opened)}`}`;
  run.ports.log(5, "a test guest is kept on", { operation: run.id, reason });
  await keptUntil(run);
  return { value: undefined, reason };
}

function sandboxAfterwards(opened: Awaited<ReturnType<TestRun["ports"]["sandboxes"]["open"]>>): string {
  if (!opened.ok) return `its sandbox could not be made whole: ${opened.problem}`;
  switch (opened.how) {
    case "joined":
      return "its sandbox was whole";
    case "rebuilt":
      return "DHCP, DNS and the way in were made anew at the bridge that it is plugged into";
    case "made":
      return "its sandbox was gone and was made anew: its card is plugged in when the guest is started again";
  }
}

function interruptedReason({ state }: TestRun): string {
  const last = state.steps.filter(({ step }) => step !== "stop" && step !== "destroy").at(-1);
  return last === undefined ? "The agent ended before the test began" : `The agent ended in or after the step ${last.step}`;
}

export type Sweep = {
  cleared: number[];
  /** A sentence each. */
  problems: string[];
  /** Guests in the range that are none of ours; undefined: nobody could look. */
  strangers: RangeStranger[] | undefined;
};

/**
 * Looks at every guest in the range: one that a journal proves to be ours and no test uses is removed, any other is named and left alone. `isLive`:
 * somebody works on that operation now; asked anew for each guest.
 */
export async function sweepRange(
  ports: RestorePorts,
  journals: Journals,
  isLive: (id: string, state: OperationState) => boolean,
): Promise<Sweep> {
  const view = new NodeView(ports);
  const guests = await view.guests();
  if (!guests.ok) return { cleared: [], problems: [guests.problem], strangers: undefined };
  const { first, last } = ports.limits.vmids;
  const inRange = guests.value.filter(({ vmid, node }) => vmid >= first && vmid <= last && node === ports.node);
  closeJournals(journals, new Set(guests.value.map(({ vmid }) => vmid)), ports.clock.now());
  const cleared: number[] = [];
  const problems: string[] = [];
  const strangers: RangeStranger[] = [];
  const inUse = (vmid: number) => journals.all().some(({ id, state }) => state.intent?.vmid === vmid && isLive(id, state));
  for (const { vmid } of inRange) {
    if (inUse(vmid)) continue;
    const swept = await sweepGuest(ports, journals, view, vmid);
    if (swept === "cleared") cleared.push(vmid);
    else if ("notOurs" in swept) strangers.push({ vmid, why: swept.notOurs });
    else problems.push(swept.problem);
  }
  return { cleared, problems, strangers };
}

/** Whose guest is not there any more, whoever removed it, owes nothing; and what is told and owes nothing is shelved. */
function closeJournals(journals: Journals, guests: ReadonlySet<number>, now: number): void {
  for (const { id, state } of journals.all()) {
    const { intent } = state;
    if (state.result === undefined) continue;
    if (owesCleaning(state) && intent !== undefined && !guests.has(intent.vmid))
      journals.open(id).append({ entry: "gone", at: now });
    const owes = owesCleaning(state) && intent !== undefined && guests.has(intent.vmid);
    if (state.seen && !owes) journals.shelve(id);
  }
}

/** `notOurs`: why it isn't. `problem`: it may be ours, and could not be told or cleared away. */
type Swept = "cleared" | { problem: string } | { notOurs: string };

/** "cleared": it was ours and is gone. */
async function sweepGuest(ports: RestorePorts, journals: Journals, view: NodeView, vmid: number): Promise<Swept> {
  let why: string = whyNotOurs["no-intent"];
  for (const { id, state } of journals.all().reverse()) {
    if (state.intent?.vmid !== vmid || state.operation.kind !== "restore-test") continue;
    const run = new TestRun(
      id,
      state.operation.params,
      ports,
      journals.open(id),
      () => undefined,
      () => new Set(),
    );
    const { intent } = run.state;
    if (intent === undefined) continue;
    const owned = await new TestGuest(ports, view, run, intent).ownership();
    if (!owned.ok)
      return { problem: `Whether the guest ${vmid} in the range of test guests is ours can't be told: ${owned.problem}` };
    if (!owned.value.ours) {
      why = whyNotOurs[owned.value.why];
      continue;
    }
    const leftovers = await clearAway(run, { again: true });
    return leftovers.length === 0 ? "cleared" : { problem: leftovers.join("; ") };
  }
  return { notOurs: why };
}
