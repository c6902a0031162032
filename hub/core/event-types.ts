import * as z from "zod";

/** Every event there is: its data, and the sentence an operator reads, made from them. Names are stable: webhooks, MQTT topics and filters use them. */

const name = z.string();
const sentence = z.string();
export const eventSeverities = ["info", "warning", "critical"] as const;
type Severity = (typeof eventSeverities)[number];

const event = <S extends z.ZodRawShape>(
  severity: Severity,
  shape: S,
  text: (facts: z.output<z.ZodObject<S, z.core.$strict>>) => string,
) => ({ severity, data: z.strictObject(shape), text });

/** An event whose facts say how severe it is. */
const judged = <S extends z.ZodRawShape>(
  severityOf: (facts: z.output<z.ZodObject<S, z.core.$strict>>) => Severity,
  shape: S,
  text: (facts: z.output<z.ZodObject<S, z.core.$strict>>) => string,
) => ({ ...event("warning", shape, text), severityOf });

/** `test`: it is a guest of our own tests, which comes and goes by itself. */
const guestShape = { guest: name, node: name, test: z.boolean() };

const minutes = (ms: number) => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`);

const taskShape = {
  node: name,
  upid: name,
  /** `guest 100`, or `several guests` for a job of several. */
  subject: name,
  /** Null for a job of several guests. */
  vmid: z.int().nullable(),
  tookMs: z.int(),
  /** PVE's own text. */
  status: sentence,
};
type TaskData = z.output<z.ZodObject<typeof taskShape, z.core.$strict>>;
/** A task of Proxmox that ended. */
const taskEvent = (severity: Severity, text: (facts: TaskData) => string) => event(severity, taskShape, text);

/** What Proxmox VE itself notified of. `kind`: its field `type` (`vzdump`, `replication`, `fencing`, `package-updates`, `system-mail`). */
const pveEvent = (severity: Severity) =>
  event(
    severity,
    { title: sentence, message: sentence, severity: name, kind: name, fields: z.record(z.string(), z.string()) },
    (f) => (f.title === "" ? `Proxmox VE notifies (${f.kind})` : `Proxmox VE: ${f.title}`),
  );

/** An operation on a backup. `run`: its id; `backup`: its volid, or a storage. */
const runShape = { run: name, subject: name, backup: name };

export const eventTypes = {
  "hub.started": event("info", { version: name }, (f) => `Proven hub ${f.version} started`),
  "hub.stopped": event("info", {}, () => "Proven hub stopped"),

  "ingest.refused": event(
    "critical",
    { problem: sentence },
    (f) => `The hub can't store samples, agents keep them: ${f.problem}`,
  ),
  "ingest.resumed": event("info", {}, () => "The hub stores samples again"),

  "agent.joined": event("info", { node: name, by: name }, (f) => `The agent of ${f.node} joined by ${f.by}`),
  "agent.connected": event("info", { node: name, software: name }, (f) => `The agent of ${f.node} is connected (${f.software})`),
  "agent.away": event("warning", { node: name, why: sentence }, (f) => `The agent of ${f.node} is away: ${f.why}`),
  "agent.silent": event(
    "warning",
    { node: name, forMs: z.number() },
    (f) => `No samples from ${f.node} for ${minutes(f.forMs)}: what only it knows is unknown`,
  ),
  "agent.sampling": event("info", { node: name }, (f) => `Samples from ${f.node} arrive again`),
  "agent.revoked": event("warning", { node: name }, (f) => `The agent of ${f.node} was revoked`),
  "agent.key-changed": event(
    "critical",
    { node: name },
    (f) => `An agent called itself ${f.node} with another key: refused. Revoke the old key if the node was reinstalled`,
  ),
  "agent.refused": event(
    "warning",
    { node: name, problem: sentence },
    (f) => `An agent that says it is ${f.node} was refused: ${f.problem}`,
  ),
  "agent.doubled": event(
    "warning",
    { node: name, addresses: z.array(name) },
    (f) =>
      `Two machines take turns as the agent of ${f.node}, at ${f.addresses.join(" and ")}: one has a copy of the other's disk. Remove /var/lib/proven-agent on the copy and let it join`,
  ),
  "agent.clock-skew": event(
    "warning",
    { node: name, skewMs: z.number() },
    (f) =>
      `The clock of ${f.node} is ${(Math.abs(f.skewMs) / 1000).toFixed(1)} s ${f.skewMs > 0 ? "ahead of" : "behind"} the hub's`,
  ),
  "agent.clock-right": event("info", { node: name }, (f) => `The clock of ${f.node} agrees with the hub's again`),

  "duty.moved": event(
    "info",
    { duty: name, node: name, from: name.optional() },
    (f) => `${f.node} took over ${f.duty}${f.from === undefined ? "" : ` from ${f.from}`}`,
  ),

  "node.online": event("info", { node: name }, (f) => `Node ${f.node} is online`),
  "node.offline": event("critical", { node: name }, (f) => `Node ${f.node} is offline, say the other members`),
  "node.unknown": event("warning", { node: name }, (f) => `Nobody can tell whether node ${f.node} is alive`),

  "quorum.lost": event("critical", { name: name }, (f) => `Cluster ${f.name} has no quorum: it is read-only`),
  "quorum.regained": event("info", { name: name }, (f) => `Cluster ${f.name} has quorum again`),

  "guest.created": event("info", { guest: name, node: name }, (f) => `${f.guest} was created on ${f.node}`),
  "guest.deleted": judged(
    (f) => (f.test ? "info" : "warning"),
    guestShape,
    (f) =>
      f.test
        ? `The test guest ${f.guest} was cleared away from ${f.node}`
        : `${f.guest} was deleted: no agent lists it any more, it was on ${f.node}`,
  ),
  "guest.replaced": judged(
    (f) => (f.test ? "info" : "warning"),
    guestShape,
    (f) => `${f.guest} on ${f.node} is another ${f.test ? "test guest" : "guest"} with a vmid used before`,
  ),
  "guest.migrated": event("info", { guest: name, from: name, node: name }, (f) => `${f.guest} moved from ${f.from} to ${f.node}`),
  "guest.started": event("info", { guest: name, node: name }, (f) => `${f.guest} was started on ${f.node}`),
  "guest.stopped": event("info", { guest: name, node: name }, (f) => `${f.guest} stopped on ${f.node}`),
  "guest.io-error": event("critical", { guest: name, node: name }, (f) => `${f.guest} on ${f.node} halted on an I/O error`),

  "storage.inactive": event("critical", { storage: name }, (f) => `Storage ${f.storage} is not active`),
  "storage.active": event("info", { storage: name }, (f) => `Storage ${f.storage} is active again`),

  "task.failed": event(
    "warning",
    { task: name, node: name, status: sentence },
    (f) => `${f.task} on ${f.node} failed: ${f.status}`,
  ),
  "task.lost": event(
    "warning",
    { task: name, node: name },
    (f) => `${f.task} on ${f.node} ended unseen: its node no longer knows it`,
  ),

  "alert.firing": judged(
    (f) => f.severity,
    { text: sentence, rule: name, severity: z.enum(eventSeverities) },
    (f) => `Alert ${f.rule}: ${f.text}`,
  ),
  "alert.resolved": event("info", { text: sentence, rule: name }, (f) => `Over, ${f.rule}: ${f.text}`),

  "receiver.failing": event(
    "warning",
    { receiver: name, problem: sentence },
    (f) => `Messages to ${f.receiver} don't get through: ${f.problem}`,
  ),
  "receiver.back": event("info", { receiver: name }, (f) => `Messages to ${f.receiver} get through again`),
  "receiver.disabled": event(
    "warning",
    { receiver: name, problem: sentence },
    (f) => `The receiver ${f.receiver} wants nothing more and was disabled: ${f.problem}`,
  ),

  "delivery.dead": event(
    "warning",
    { receiver: name, problem: sentence },
    (f) => `A message to ${f.receiver} was given up: ${f.problem}`,
  ),

  "key.created": event("info", { name: name, scopes: name }, (f) => `API key "${f.name}" was created (${f.scopes})`),
  "key.revoked": event("info", { name: name }, (f) => `API key "${f.name}" was revoked`),

  "login.failed": event("warning", { address: name }, (f) => `A wrong API key came from ${f.address}`),
  "login.locked": event("warning", { address: name }, (f) => `${f.address} tried too many wrong API keys and must wait`),

  "login.opened": event("info", { user: name, address: name }, (f) => `${f.user} signed in from ${f.address}`),
  "login.refused": event(
    "warning",
    { user: name, address: name },
    (f) => `Proxmox VE refused to sign ${f.user} in, who came from ${f.address}`,
  ),

  "alert.acknowledged": event(
    "info",
    { text: sentence, rule: name, by: name },
    (f) => `${f.by} took the alert ${f.rule}: ${f.text}`,
  ),

  "backup.finished": taskEvent("info", (f) => `Backup of ${f.subject} on ${f.node} finished after ${minutes(f.tookMs)}`),
  "backup.warnings": taskEvent("warning", (f) => `Backup of ${f.subject} on ${f.node} finished with warnings: ${f.status}`),
  "backup.failed": taskEvent("warning", (f) => `Backup of ${f.subject} on ${f.node} failed: ${f.status}`),

  "restore.finished": taskEvent("info", (f) => `Restore of ${f.subject} on ${f.node} finished after ${minutes(f.tookMs)}`),
  "restore.warnings": taskEvent("warning", (f) => `Restore of ${f.subject} on ${f.node} finished with warnings: ${f.status}`),
  "restore.failed": taskEvent("warning", (f) => `Restore of ${f.subject} on ${f.node} failed: ${f.status}`),

  "migration.finished": taskEvent(
    "info",
    (f) => `Migration of ${f.subject} away from ${f.node} finished after ${minutes(f.tookMs)}`,
  ),
  "migration.warnings": taskEvent(
    "warning",
    (f) => `Migration of ${f.subject} away from ${f.node} finished with warnings: ${f.status}`,
  ),
  "migration.failed": taskEvent("warning", (f) => `Migration of ${f.subject} away from ${f.node} failed: ${f.status}`),

  "snapshot.created": taskEvent("info", (f) => `A snapshot of ${f.subject} on ${f.node} was made`),
  "snapshot.deleted": taskEvent("info", (f) => `A snapshot of ${f.subject} on ${f.node} was deleted`),
  "snapshot.rolled-back": taskEvent("warning", (f) => `${f.subject} on ${f.node} was rolled back to a snapshot`),

  "guest.cloned": taskEvent("info", (f) => `${f.subject} on ${f.node} was cloned after ${minutes(f.tookMs)}`),
  "guest.template-made": taskEvent("info", (f) => `${f.subject} on ${f.node} became a template`),

  "restore-test.started": event(
    "info",
    { ...runShape, node: name },
    (f) => `Restore test of ${f.subject} began on ${f.node}: ${f.backup}`,
  ),
  "restore-test.passed": event(
    "info",
    { ...runShape, verdict: sentence, level: name, tookMs: z.int() },
    (f) => `Restore test of ${f.subject} passed after ${minutes(f.tookMs)} (${f.level}): ${f.backup}`,
  ),
  "restore-test.failed": event(
    "critical",
    {
      ...runShape,
      verdict: sentence,
      level: name,
      /** The step that failed, and the last lines of its log. */
      step: name.nullable(),
      log: z.array(z.string()),
      /** There is one: `/api/v1/restore-tests/{run}/screenshot`. */
      screenshot: z.boolean(),
    },
    (f) => `Restore test of ${f.subject} failed: ${f.verdict} (${f.backup})`,
  ),
  "restore-test.not-done": event(
    "warning",
    { ...runShape, verdict: sentence, outcome: name },
    (f) => `Restore test of ${f.subject} came to no verdict (${f.outcome}): ${f.verdict}`,
  ),
  "restore-test.leftovers": event(
    "warning",
    { ...runShape, verdict: sentence, node: name, leftovers: z.array(z.string()) },
    (f) => `Restore test of ${f.subject} left something on ${f.node}: ${f.leftovers.join("; ")}`,
  ),
  "restore-range.stranger": event(
    "warning",
    { node: name, vmid: z.int(), why: sentence },
    (f) => `The guest ${f.vmid} on ${f.node} has a number of test guests and is not Proven's: ${f.why}. It was left alone`,
  ),
  "backup.unverifiable": event(
    "critical",
    { ...runShape, verdict: sentence },
    (f) => `The backup ${f.backup} of ${f.subject} can't be verified: ${f.verdict}`,
  ),

  "pve.notice": pveEvent("info"),
  "pve.warning": pveEvent("warning"),
  "pve.error": pveEvent("critical"),
} as const satisfies Record<
  string,
  { severity: Severity; severityOf?: (facts: never) => Severity; data: z.ZodObject; text: (facts: never) => string }
>;
