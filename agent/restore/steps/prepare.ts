import { createHash } from "node:crypto";
import { type BackedUpConfig, parseBackedUpConfig } from "../../core/restore/backed-up-config.ts";
import { planContainer } from "../../core/restore/isolate-container.ts";
import { planVm } from "../../core/restore/isolate-vm.ts";
import type { Isolation, IsolationPlan } from "../../core/restore/isolation.ts";
import { restoreCause } from "../../core/restore/node-fault.ts";
import {
  type DiskNeeds,
  diskNeeds,
  freeVmid,
  ownMemoryMib,
  storageCandidates,
  storageProblem,
  testMemoryMib,
} from "../../core/restore/resources.ts";
import { type BackupFound, type Read, tellError } from "../node-view.ts";
import type { Claim, StepResult, TestRun } from "../run.ts";
import { thinMetadataProblem } from "../thin-metadata.ts";

/** What the steps before the first change need: a dry run has this much and no journal. */
export type Preparing = Pick<TestRun, "id" | "test" | "ports" | "view" | "takenVmids" | "otherClaims" | "reserve" | "claim">;

export type Configuration = { config: BackedUpConfig; digest: string; needs: DiskNeeds };
export type Place = { vmid: number; storage: string; memoryMib: number; cpus: number | undefined };

/** Stands for the sandbox' bridge in a plan that is made before there is one. */
export const unknownBridge = "sandbox";

/** Numbers that are tried because volumes without a guest carry the ones before. */
const vmidsTried = 20;

export async function locate({ view, test }: Preparing): Promise<StepResult<BackupFound>> {
  const found = await view.backup(test.backup, test.vmid);
  // Nobody can say whether the backup is there: that is no word against it.
  if (!found.ok) return refuse(found.problem);
  // Pruned while the test waited for its turn, mostly: a newer one has taken its place.
  return found.value === undefined ? refuse(noBackup(test)) : { value: found.value };
}

const noBackup = ({ backup, vmid }: Preparing["test"]) =>
  `The storage ${backup.storage} holds no backup ${backup.volid} of ${vmid}`;

/** Undefined: it is there, or nobody can say. */
export async function backupGone({ view, test }: Pick<Preparing, "view" | "test">): Promise<string | undefined> {
  const found = await view.backup(test.backup, test.vmid);
  return found.ok && found.value === undefined ? noBackup(test) : undefined;
}

/** PVE reads the header of the archive for it: a bad one shows here in milliseconds, in a restore after a minute. */
export async function readConfiguration(preparing: Preparing): Promise<StepResult<Configuration>> {
  const { view, test } = preparing;
  const answer = await view.ask("/vzdump/extractconfig", { volume: test.backup.volid });
  if (!answer.ok) {
    const failed = `The backup's configuration can't be read: ${keyMissing(answer.problem)}${answer.problem}`;
    const isNodes = answer.unanswered === true || restoreCause(answer.problem, []) !== undefined;
    return isNodes || (await backupGone(preparing)) !== undefined ? refuse(failed) : { failed };
  }
  if (typeof answer.value !== "string" || answer.value.trim() === "") return { failed: "The backup holds no configuration" };
  const config = parseBackedUpConfig(test.type, answer.value);
  const digest = createHash("sha256").update(answer.value).digest("hex");
  return { value: { config, digest, needs: diskNeeds(config) } };
}

/** proxmox-backup's `pbs-datastore/src/manifest.rs` check_fingerprint; not recorded. Nobody in this cluster can restore it then. */
const keyMissing = (problem: string) =>
  /\b(missing|wrong) key - manifest/.test(problem) ? "it is encrypted, and its storage has not the right key here: " : "";

/** Whether this node can and may do it now; nothing is begun. */
export async function preflight(preparing: Preparing, configuration: Configuration): Promise<StepResult<Place>> {
  const { ports, test, view } = preparing;
  if (!ports.limits.enabled) return refuse("Restore tests are switched off on this node");
  const quorum = await view.quorumProblem();
  if (quorum !== undefined) return refuse(quorum);
  const missing = await ports.sandboxes.missing(); // before an archive is read for hours
  if (missing !== undefined) return refuse(`No sandbox can be made: ${missing}`);
  const { config, needs } = configuration;
  const memoryMib = testMemoryMib(config, test.memoryMib, ports.limits.memoryMib);
  const memory = await memoryProblem(preparing, memoryMib);
  if (memory !== undefined) return refuse(memory);
  const storage = await chooseStorage(preparing, configuration);
  if (!storage.ok) return refuse(storage.problem);
  const vmid = await chooseVmid(preparing);
  if (!vmid.ok) return refuse(vmid.problem);
  const unknown = needs.unknown.length === 0 ? "" : `; nobody says the size of ${needs.unknown.join(", ")}`;
  return {
    value: { vmid: vmid.value, storage: storage.value, memoryMib, cpus: await view.cpus() },
    reason: `Test guest ${vmid.value} on ${storage.value}${lessMemory(ownMemoryMib(config), memoryMib)}${unknown}`,
  };
}

/** What needs all of its memory to start would look broken without a word of it. */
const lessMemory = (ownMib: number, memoryMib: number) =>
  memoryMib < ownMib ? `, with ${memoryMib} of its ${ownMib} MiB of memory` : "";

const refuse = (failed: string) => ({ failed, outcome: "refused" }) as const;

/**
 * Undefined: there is enough, and it is claimed. Guests of other tests count with all that they may still ask for: the node's own guests must never be
 * short of memory for a test.
 */
export async function memoryProblem(
  { ports, view, otherClaims, claim }: Pick<Preparing, "ports" | "view" | "otherClaims" | "claim">,
  memoryMib: number,
): Promise<string | undefined> {
  // Held is read first: what a guest takes in between counts twice, and never not at all.
  const held = new Map<number, number>();
  for (const { guest } of otherClaims()) if (guest !== undefined) held.set(guest.vmid, await view.heldMemoryMib(guest));
  const availableMib = await view.availableMemoryMib();
  if (availableMib === undefined) return "How much memory is free can't be read";
  const { reserveMib } = ports.limits;
  const heldBy = ({ guest }: Claim) => (guest === undefined ? 0 : (held.get(guest.vmid) ?? 0));
  const others = otherClaims().reduce((sum, claimed) => sum + Math.max(0, claimed.memoryMib - heldBy(claimed)), 0);
  if (availableMib - others - memoryMib < reserveMib) {
    const also = others === 0 ? "" : `, other tests ${others}`;
    return `${availableMib} MiB of memory are free; the test guest takes ${memoryMib}${also} and ${reserveMib} must stay`;
  }
  claim({ memoryMib });
  return undefined;
}

async function chooseStorage(
  { ports, view, test, otherClaims, claim }: Preparing,
  { needs }: Configuration,
): Promise<Read<string>> {
  const { storages, problem } = storageCandidates(test.storage, ports.limits.storages, needs.storages);
  const problems = problem === undefined ? [] : [problem];
  for (const storage of storages) {
    const state = await view.storage(storage);
    const others = () => otherClaims().reduce((sum, claimed) => sum + (claimed.storage === storage ? claimed.bytes : 0), 0);
    const metadata = state.ok ? await thinMetadataProblem(ports, storage, needs.bytes + others()) : undefined;
    // Nothing waits between this and the claim: tests that look at the same moment must not both find it free.
    const wrong = state.ok ? (storageProblem(state.value, test.type, needs.bytes, others()) ?? metadata) : state.problem;
    if (wrong === undefined) {
      claim({ storage, bytes: needs.bytes });
      return { ok: true, value: storage };
    }
    problems.push(wrong);
  }
  return { ok: false, problem: problems.join("; ") };
}

/** Free in the cluster, not promised to another test, and no volume carries it. */
async function chooseVmid({ ports, view, takenVmids, reserve }: Preparing): Promise<Read<number>> {
  const guests = await view.guests();
  if (!guests.ok) return guests;
  const taken = new Set(guests.value.map(({ vmid }) => vmid));
  const { first, last } = ports.limits.vmids;
  // Each node begins in a part of the range of its own: tests that begin at the same moment must not meet.
  const { index, of } = await view.place();
  const from = first + Math.floor((index * (last - first + 1)) / of);
  for (let attempt = 0; attempt < vmidsTried; attempt++) {
    const vmid = freeVmid(ports.limits.vmids, new Set([...taken, ...takenVmids()]), from);
    if (vmid === undefined) return { ok: false, problem: `All numbers from ${first} to ${last} are taken` };
    reserve(vmid); // before anybody else can look
    if (takenVmids().has(vmid)) {
      taken.add(vmid); // another process looked at the same moment: both take another one
      continue;
    }
    const volumes = await view.volumesOf(vmid);
    if (!volumes.ok) return volumes;
    const free = volumes.value.length === 0 ? await ports.api.get("/cluster/nextid", { vmid }) : undefined;
    if (free?.ok === true) return { ok: true, value: vmid };
    if (free !== undefined && free.error.status !== 400)
      return { ok: false, problem: `Whether ${vmid} is free can't be told: ${tellError(free.error)}` };
    taken.add(vmid);
  }
  return {
    ok: false,
    problem: `Volumes without a guest carry the numbers from ${first} on: remove them, or give restore tests another range`,
  };
}

export function isolationOf(
  { id, test, ports }: Preparing,
  { vmid, storage, memoryMib, cpus }: Place,
  bridge: string,
): Isolation {
  const { pool, bwlimitKib } = ports.limits;
  return {
    operation: id,
    testVmid: vmid,
    source: { vmid: test.vmid, volid: test.backup.volid },
    storage,
    bridge,
    keepMacs: test.sandbox === undefined,
    memoryMib,
    ...(cpus !== undefined && { cpus }),
    ...(pool !== undefined && { pool }),
    ...(bwlimitKib !== undefined && { bwlimitKib }),
  };
}

export const planFor = (config: BackedUpConfig, isolation: Isolation): IsolationPlan =>
  config.type === "qemu" ? planVm(config, isolation) : planContainer(config, isolation);

/** What won't come along; fails when the backup can't be restored without harm. */
export async function judgePlan(
  preparing: Preparing,
  { config }: Configuration,
  place: Place,
): Promise<StepResult<IsolationPlan>> {
  const plan = planFor(config, isolationOf(preparing, place, unknownBridge));
  if (plan.refusals.length > 0) return refuse(`It can't be restored safely: ${plan.refusals.join("; ")}`);
  const log = plan.strip.map(({ key, why }) => `${key} does not come along: ${why}`);
  return { value: plan, log };
}

/** Reads every byte, or has the Backup Server do it, where that was asked for. */
export async function proveBytes(run: TestRun): Promise<StepResult<undefined>> {
  const { test, ports } = run;
  if (!test.integrity) return { value: undefined, state: "skipped", reason: "Not asked for" };
  const backup = { ...test.backup, type: test.type };
  const result = await run.unlessOver(ports.integrity(backup, (fraction) => run.progress({ fraction }), run.signal));
  if (result === undefined) return { failed: "Ended before the archive was read" };
  const { state, reason, log } = result;
  if (state === "damaged") return { failed: `The backup is damaged: ${reason}`, log };
  // A Backup Server that may not verify says nothing about the backup: the restore will.
  if (state === "unreadable")
    return { value: undefined, state: "unknown", reason: `Its bytes could not be checked: ${reason}`, log };
  if (state === "not-checked" || result.by === undefined) return { value: undefined, state: "skipped", reason, log };
  run.note({ entry: "facts", facts: { bytesBy: result.by } });
  return { value: undefined, reason, log };
}
