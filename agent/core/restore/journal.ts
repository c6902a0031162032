import * as z from "zod/mini";
import { type Operation, type OperationResult, operationResultSchema, operationSchema } from "#protocol/operations.ts";
import {
  type CheckRecord,
  checkRecordSchema,
  type Measures,
  measuresSchema,
  type StepRecord,
  stepRecordSchema,
} from "#protocol/restore.ts";
import type { Intent } from "./ours.ts";

/**
 * What an operation's journal says, line by line. Everything that the agent is about to do to the node stands in it before it is done, so that
 * whoever comes after a sudden end can finish or clear away. Times are ms since the Unix epoch.
 */

const text = z.string().check(z.maxLength(4000));
const int = z.int().check(z.nonnegative());
const at = int;

const entrySchema = z.discriminatedUnion("entry", [
  /** The first one: the operation is taken on. `process`: the agent's, so that another agent process knows whether it still lives. */
  z.strictObject({
    entry: z.literal("start"),
    at,
    operation: operationSchema,
    expiresAt: int,
    actor: text,
    reason: text,
    process: text,
  }),
  /** Another agent process has taken it over, to clear it away. */
  z.strictObject({ entry: z.literal("taken-over"), at, process: text }),
  z.strictObject({ entry: z.literal("step"), at, record: stepRecordSchema }),
  /** Before anybody asks whether it is free: two processes of a node must not choose the same number. */
  z.strictObject({ entry: z.literal("reserve"), at, vmid: int }),
  /** Before the one call that makes a guest: the number was free then. */
  z.strictObject({ entry: z.literal("intent"), at, vmid: int, type: z.enum(["qemu", "lxc"]), wasFree: z.boolean() }),
  /** Before a call or command that changes something. */
  z.strictObject({ entry: z.literal("call"), at, call: text }),
  /** What came of the call before; `upid`: the task it began. */
  z.strictObject({ entry: z.literal("answer"), at, ok: z.boolean(), text, upid: z.optional(text) }),
  /** The restore's own task. */
  z.strictObject({ entry: z.literal("task"), at, upid: text }),
  /** PVE refused to make the guest: whatever has this number is not ours. */
  z.strictObject({ entry: z.literal("refused"), at, why: text }),
  /** The guest is destroyed, all of it. */
  z.strictObject({ entry: z.literal("gone"), at }),
  z.strictObject({ entry: z.literal("sandbox"), at, name: text, open: z.boolean() }),
  z.strictObject({
    entry: z.literal("facts"),
    at,
    facts: z.strictObject({
      backupAt: z.optional(int),
      backupBytes: z.optional(int),
      configurationDigest: z.optional(text),
      bytesBy: z.optional(z.enum(["pbs-verify", "compressor-checksum", "own-sha256"])),
    }),
  }),
  z.strictObject({ entry: z.literal("check"), at, record: checkRecordSchema }),
  z.strictObject({ entry: z.literal("measures"), at, measures: measuresSchema }),
  z.strictObject({ entry: z.literal("keep"), at, untilAt: int, actor: text }),
  z.strictObject({ entry: z.literal("cancel"), at, actor: text }),
  z.strictObject({ entry: z.literal("result"), at, result: operationResultSchema }),
  z.strictObject({ entry: z.literal("seen"), at }),
]);
export type JournalEntry = z.output<typeof entrySchema>;

/** An entry that a sudden end tore off is no entry; those behind it count. */
export function parseJournal(content: string): JournalEntry[] {
  return content.split("\n").flatMap((line) => {
    const entry = parseLine(line);
    return entry === undefined ? [] : [entry];
  });
}

function parseLine(line: string): JournalEntry | undefined {
  if (line === "") return undefined;
  try {
    const parsed = entrySchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

export const printEntry = (entry: JournalEntry) => `${JSON.stringify(entry)}\n`;

type Facts = Extract<JournalEntry, { entry: "facts" }>["facts"];

/** Where an operation stands. */
export type OperationState = {
  operation: Operation;
  startedAt: number;
  expiresAt: number;
  actor: string;
  process: string;
  /** Newest record of each step, in the order they began. */
  steps: StepRecord[];
  checks: CheckRecord[];
  measures: Measures;
  facts: Facts;
  /** The number that it has for itself while it goes on. */
  reserved: number | undefined;
  /** What was begun under a test number; undefined: nothing, or PVE refused it. */
  intent: (Intent & { type: "qemu" | "lxc" }) | undefined;
  /** The guest of the intent was destroyed. */
  gone: boolean;
  /** Name of the sandbox that is open. */
  sandbox: string | undefined;
  keptUntil: number | undefined;
  cancelled: boolean;
  result: OperationResult | undefined;
  seen: boolean;
};

/** Undefined: it doesn't begin with a start, so nothing was ever done. `id`: the operation's, its file's name. */
export function foldJournal(id: string, entries: readonly JournalEntry[]): OperationState | undefined {
  return entries.reduce<OperationState | undefined>((state, entry) => takeEntry(id, state, entry), undefined);
}

function begun(start: Extract<JournalEntry, { entry: "start" }>): OperationState {
  return {
    operation: start.operation,
    startedAt: start.at,
    expiresAt: start.expiresAt,
    actor: start.actor,
    process: start.process,
    steps: [],
    checks: [],
    measures: {},
    facts: {},
    reserved: undefined,
    intent: undefined,
    gone: false,
    sandbox: undefined,
    keptUntil: undefined,
    cancelled: false,
    result: undefined,
    seen: false,
  };
}

/** The state after one more entry; changes the one it is given. */
export function takeEntry(id: string, state: OperationState | undefined, entry: JournalEntry): OperationState | undefined {
  if (state === undefined) return entry.entry === "start" ? begun(entry) : undefined;
  change(id, state, entry);
  return state;
}

function change(id: string, state: OperationState, entry: JournalEntry): void {
  switch (entry.entry) {
    case "taken-over":
      state.process = entry.process;
      break;
    case "step":
      takeStep(state.steps, entry.record);
      break;
    case "reserve":
      state.reserved = entry.vmid;
      break;
    case "intent":
      state.intent = { operation: id, vmid: entry.vmid, type: entry.type, at: entry.at, wasFree: entry.wasFree };
      state.gone = false;
      break;
    case "task":
      if (state.intent !== undefined) state.intent.upid = entry.upid;
      break;
    case "refused":
      state.intent = undefined;
      break;
    case "gone":
      state.gone = true;
      break;
    case "sandbox":
      state.sandbox = entry.open ? entry.name : undefined;
      break;
    case "facts":
      state.facts = { ...state.facts, ...entry.facts };
      break;
    case "check":
      state.checks.push(entry.record);
      break;
    case "measures":
      state.measures = { ...state.measures, ...entry.measures };
      break;
    case "keep":
      state.keptUntil = entry.untilAt;
      break;
    case "cancel":
      state.cancelled = true;
      break;
    case "result":
      state.result = entry.result;
      break;
    case "seen":
      state.seen = true;
      break;
  }
}

/** Replaces the record of the same step, or adds it. */
function takeStep(steps: StepRecord[], record: StepRecord): void {
  const place = steps.findIndex(({ step }) => step === record.step);
  if (place < 0) steps.push(record);
  else steps[place] = record;
}

/** The guest is still there as far as the journal knows: nothing else may use its number, and somebody has to clear it away. */
export function owesCleaning({ intent, gone }: OperationState): boolean {
  return intent !== undefined && !gone;
}
