import { randomUUID } from "node:crypto";
import type { Message } from "#protocol/messages.ts";
import type { OperationResult } from "#protocol/operations.ts";
import type { RestorePlan, RestoreReport, RestoreTest, StepRecord } from "#protocol/restore.ts";
import { asFlag, asNumber, asObjects, asText, splitList } from "../core/values.ts";
import { NodeView, type Read } from "./node-view.ts";
import { Operations } from "./operations.ts";
import { planRestoreTest } from "./plan.ts";
import type { RestorePorts } from "./ports.ts";

/** `proven-agent restore-test`, for a person at the node: no hub is needed. */
export type LocalTest = {
  guest: number;
  /** Volume id; absent: the newest backup that this node sees. */
  backup: string | undefined;
  storage: string | undefined;
  keepSec: number;
  dryRun: boolean;
};

export type LocalPorts = { restore: RestorePorts; dir: string; write(text: string): void; signal: AbortSignal };

/** Exit code: 0 it passed or would run, 1 it did not, 2 it was refused. */
export async function runLocally(local: LocalTest, ports: LocalPorts): Promise<number> {
  const order = await orderOf(local, new NodeView(ports.restore));
  if (!order.ok) {
    ports.write(`${order.problem}\n`);
    return 2;
  }
  return local.dryRun ? printPlan(order.value, ports) : runTest(order.value, ports);
}

async function orderOf({ guest, backup, storage, keepSec }: LocalTest, view: NodeView): Promise<Read<RestoreTest>> {
  const found = await findBackup(view, guest, backup);
  if (!found.ok) return found;
  const { type, volid, storage: from } = found.value;
  return {
    ok: true,
    value: {
      vmid: guest,
      type,
      backup: { storage: from, volid },
      ...(storage !== undefined && { storage }),
      checks: [],
      integrity: true,
      screenshot: false,
      benchmark: true,
      timeoutSec: 4 * 3600,
      bootSec: 300,
      keepSec,
    },
  };
}

type Found = { type: "qemu" | "lxc"; volid: string; storage: string; at: number };

/** The named backup, or the newest one of that guest in all storages. A storage that does not answer is named, for its backup may be newer. */
async function findBackup(view: NodeView, guest: number, volid: string | undefined): Promise<Read<Found>> {
  const storages = await view.ask("/storage", { content: "backup", enabled: 1 });
  if (!storages.ok) return { ok: false, problem: `The storages can't be listed: ${storages.problem}` };
  const found: Found[] = [];
  const silent: string[] = [];
  for (const one of asObjects(storages.value)) {
    const storage = asText(one.storage) ?? "";
    if (!asFlag(one.active) || !splitList(asText(one.content)).includes("backup")) continue;
    const listed = await view.ask(`/storage/${encodeURIComponent(storage)}/content`, { content: "backup", vmid: guest });
    if (listed.ok) found.push(...asObjects(listed.value).flatMap((entry) => backupIn(entry, storage)));
    else silent.push(storage);
  }
  const wanted = found.filter((backup) => volid === undefined || backup.volid === volid).sort((a, b) => b.at - a.at)[0];
  if (wanted !== undefined) return { ok: true, value: wanted };
  const unasked = silent.length === 0 ? "" : `; ${silent.join(", ")} did not answer`;
  return {
    ok: false,
    problem:
      volid === undefined ? `No backup of ${guest} is seen here${unasked}` : `There is no backup ${volid} of ${guest}${unasked}`,
  };
}

function backupIn(entry: ReturnType<typeof asObjects>[number], storage: string): Found[] {
  const volid = asText(entry.volid);
  const type = asText(entry.subtype) ?? (/(?:-lxc-|backup\/ct\/)/.test(volid ?? "") ? "lxc" : "qemu");
  if (volid === undefined || (type !== "qemu" && type !== "lxc")) return [];
  return [{ type, volid, storage, at: asNumber(entry.ctime) || 0 }];
}

async function printPlan(order: RestoreTest, { restore, write }: LocalPorts): Promise<number> {
  const planned = await planRestoreTest(randomUUID(), order, restore, () => new Set());
  if (!planned.ok) {
    write(`${planned.problem}\n`);
    return 2;
  }
  write(formatPlan(planned.plan));
  return planned.plan.problems.length === 0 ? 0 : 2;
}

function formatPlan(plan: RestorePlan): string {
  const { vmid, type, backup, testVmid, storage, needsBytes, calls, removed, problems } = plan;
  const lines = [
    `Restore test of ${type === "qemu" ? "VM" : "CT"} ${vmid} from ${backup.volid}`,
    `as guest ${testVmid} on ${storage}, ${(needsBytes / 2 ** 30).toFixed(1)} GiB. Nothing was done.`,
    "",
    ...calls.flatMap(({ step, method, path, params, why }) => [
      `${step.padEnd(14)}${method} ${path}${why === undefined ? "" : `   (${why})`}`,
      ...Object.entries(params).map(([key, value]) => `${" ".repeat(18)}${key}=${JSON.stringify(value)}`),
    ]),
    ...(removed.length === 0 ? [] : ["", "Does not come along:", ...removed.map(({ key, why }) => `  ${key}: ${why}`)]),
    ...(problems.length === 0 ? [] : ["", "It would be refused:", ...problems.map((problem) => `  ${problem}`)]),
  ];
  return `${lines.join("\n")}\n`;
}

async function runTest(order: RestoreTest, { restore, dir, write, signal }: LocalPorts): Promise<number> {
  const id = randomUUID();
  let told: (result: OperationResult) => void = () => undefined;
  const result = new Promise<OperationResult>((resolve) => {
    told = resolve;
  });
  const hear = (message: Message) => {
    if (message.type === "op.progress" && message.body.step !== undefined) write(formatStep(message.body.step as StepRecord));
    if (message.type === "op.result") told(message.body.result as OperationResult);
  };
  const operations = new Operations({ restore, dir, send: hear, onProblems: () => undefined });
  const stop = () => operations.hear({ type: "op.cancel", body: { id, actor: "root@pam" } });
  signal.addEventListener("abort", stop, { once: true });
  const expiresAt = restore.clock.now() + 60_000;
  const operation = { kind: "restore-test", params: order };
  operations.hear({
    type: "op.start",
    body: { id, operation, expiresAt, actor: "root@pam", reason: "proven-agent restore-test" },
  });
  const ended = await result;
  signal.removeEventListener("abort", stop);
  // The hub did not ask for it.
  operations.hear({ type: "op.seen", body: { id } });
  if (ended.kind !== "restore-test") {
    write(`${ended.kind === "refused" ? ended.reason : "It came to nothing"}\n`);
    return 2;
  }
  write(formatReport(ended.report));
  return exitCodes[ended.report.outcome] ?? 1;
}

/** Of the command; any other outcome: not proven, 1. */
const exitCodes: Partial<Record<RestoreReport["outcome"], number>> = { passed: 0, refused: 2 };

function formatStep({ step, state, reason, startedAt, endedAt }: StepRecord): string {
  if (state === "running") return "";
  const seconds = (((endedAt ?? startedAt) - startedAt) / 1000).toFixed(1);
  return `${step.padEnd(14)}${state.padEnd(9)}${seconds.padStart(7)} s${reason === undefined ? "" : `  ${reason}`}\n`;
}

function formatReport({ outcome, level, reason, leftovers, measures }: RestoreReport): string {
  const { restoreBytes, restoreMs, heartbeatMs, sequentialRead, randomRead } = measures;
  const figures = [
    ...(restoreBytes === undefined || restoreMs === undefined
      ? []
      : [`restored ${mebibytes((restoreBytes / restoreMs) * 1000)}/s`]),
    ...(heartbeatMs === undefined ? [] : [`alive after ${(heartbeatMs / 1000).toFixed(1)} s`]),
    ...(sequentialRead === undefined ? [] : [`reads ${mebibytes(sequentialRead)}/s`]),
    ...(randomRead === undefined ? [] : [`${randomRead} random reads/s`]),
  ];
  const lines = [
    "",
    `${outcome.toUpperCase()}, level ${level}: ${reason}`,
    ...(figures.length === 0 ? [] : [figures.join(", ")]),
    ...leftovers.map((left) => `LEFT: ${left}`),
  ];
  return `${lines.join("\n")}\n`;
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
