import type { AlertView, Rule, SilenceView, Why, WindowView } from "#protocol/alerting.ts";
import type { BacktestAnswer } from "#protocol/backtest.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Delivery, ReceiverView } from "#protocol/notifications.ts";
import { defaultReceiver, defaultRoute, defaultRules } from "../../hub/core/default-rules.ts";
import { exampleNotification } from "../../hub/core/example-notification.ts";
import { alertOf } from "./alert-views.ts";

const cluster = "0123456789abcdef";
const minute = 60_000;

/** A night in which pve3 died: its guests follow, two other troubles, one of them taken. */
export function fakeAlerts(now: number): AlertView[] {
  const about = { cluster, tags: [], unit: null, value: null, threshold: null };
  const node = alertOf({
    ...about,
    rule: "node-down",
    entity: "node/pve3",
    ruleName: "Node down",
    severity: "critical",
    node: "pve3",
    title: "pve3",
    valueText: "offline",
    text: "Node pve3 is offline, say the other members",
    remedy: "Look at its power and network; HA moves what it manages, other guests wait for the node.",
    activeAt: now - 23 * minute,
    firedAt: now - 22 * minute,
    notified: [{ receiver: "mail", at: now - 22 * minute }],
    affected: ["db03 (VM 107)", "cache02 (VM 113)", "web07 (VM 119)"],
  });
  const follows = [107, 113, 119].map((vmid) =>
    alertOf({
      ...about,
      rule: "guest-stopped",
      entity: `guest/${vmid}`,
      ruleName: "Guest stopped unasked",
      severity: "critical",
      node: "pve3",
      title: `VM ${vmid}`,
      text: `VM ${vmid} is unknown`,
      activeAt: now - 22 * minute,
      firedAt: now - 21 * minute,
      disposition: "suppressed",
      notified: [],
      suppressedBy: { by: "inhibited", id: node.id, until: null, text: `Follows from: ${node.text}` },
    }),
  );
  const full = alertOf({
    cluster,
    rule: "storage-full",
    entity: "storage/nfs1",
    ruleName: "Storage nearly full",
    node: null,
    title: "nfs1",
    value: 0.914,
    threshold: 0.9,
    text: "Storage nfs1 is 91 % full",
    remedy: "Remove old backups or enlarge it.",
    activeAt: now - 190 * minute,
    firedAt: now - 180 * minute,
    notified: [{ receiver: "mail", at: now - 180 * minute }],
  });
  const taken = alertOf({
    cluster,
    rule: "backup-missing",
    entity: "guest/102",
    ruleName: "Backup missing",
    node: "pve1",
    title: "mail01 (CT 102)",
    unit: "seconds",
    value: 97_200,
    threshold: 21_600,
    text: "mail01 (CT 102) has no backup since its calendar asked for one",
    activeAt: now - 600 * minute,
    firedAt: now - 600 * minute,
    disposition: "acknowledged",
    acknowledged: { by: "anna", at: now - 300 * minute, until: null, note: "the new storage comes on Monday" },
  });
  const pending = alertOf({
    cluster,
    entity: "guest/100",
    title: "web01 (VM 100)",
    text: "web01 (VM 100) uses 97 % of its CPU",
    state: "pending",
    activeAt: now - 2 * minute,
    firedAt: null,
    disposition: null,
    notified: [],
  });
  return [full, ...follows, taken, pending, node];
}

export const fakeHistoryOfAlerts = (now: number): AlertView[] =>
  [20, 55, 90].map((hours, index) =>
    alertOf({
      cluster,
      rule: ["guest-cpu", "agent-down", "storage-full"][index] ?? "",
      text: ["web01 (VM 100) used 96 % of its CPU", "The agent of pve2 was away", "Storage nfs1 was 90 % full"][index] ?? "",
      state: "resolved",
      disposition: null,
      activeAt: now - hours * 60 * minute - 40 * minute,
      firedAt: now - hours * 60 * minute - 35 * minute,
      resolvedAt: now - hours * 60 * minute,
      notified: [{ receiver: "mail", at: now - hours * 60 * minute - 35 * minute }],
    }),
  );

export const fakeWhy = (id: string, now: number): Why => ({
  rule: id.split("@")[0] ?? "",
  subject: { cluster, entity: "storage/nfs1", incarnation: 1, instance: null },
  state: "firing",
  applies: true,
  effective: { trigger: 0.9, clear: 0.85, forSec: 600, severity: "warning" },
  decisions: [
    { at: now - 10_000, what: "evaluated", reason: "above-trigger", value: 0.914, text: "above 90 %" },
    { at: now - 20_000, what: "evaluated", reason: "above-trigger", value: 0.913, text: "above 90 %" },
    {
      at: now - 180 * minute,
      what: "notified",
      reason: "first",
      value: null,
      text: "mail was told: the first message of this trouble",
    },
    { at: now - 180 * minute, what: "fired", reason: "above-trigger", value: 0.901, text: "it held for 10 min" },
    { at: now - 190 * minute, what: "pending", reason: "above-trigger", value: 0.9, text: "it began; it has to hold for 10 min" },
  ],
});

/** Eight episodes of four guests within 30 days. */
export function fakeBacktest(from: number, to: number): BacktestAnswer {
  const day = 86_400_000;
  const episodes = [2, 5, 9, 14, 15, 21, 26, 29].map((days, index) => {
    const vmid = [100, 105, 100, 113][index % 4] ?? 100;
    const firedAt = from + days * day;
    const subject = { cluster, entity: `guest/${vmid}`, incarnation: 1, instance: null, title: `web${vmid - 99} (VM ${vmid})` };
    return {
      ...subject,
      activeAt: firedAt - 300_000,
      firedAt,
      resolvedAt: index === 7 ? null : firedAt + (index + 1) * 2 * 3_600_000,
      peak: 0.98,
    };
  });
  const notifications = episodes.map(({ firedAt }) => ({ at: firedAt, kind: "firing", receiver: "mail", alerts: 1 }));
  return {
    from,
    to,
    stepMs: 900_000,
    subjects: 40,
    skipped: [{ entity: "guest/140", why: "no-history" }],
    episodes,
    notifications,
  };
}

export const fakeSilences = (now: number): SilenceView[] => [
  {
    id: "load-test",
    kind: "silence",
    alerts: [],
    scope: { tags: ["test"] },
    rules: ["guest-cpu"],
    startsAt: now - 3_600_000,
    endsAt: now + 3 * 3_600_000,
    createdBy: "anna",
    comment: "load test until lunch",
    state: "active",
    alertsHeld: 2,
  },
];

export const fakeWindows = (now: number): WindowView[] => [
  {
    id: "upgrade@x",
    name: "pve2 was just upgraded",
    automatic: "upgrade",
    window: null,
    active: true,
    endsAt: now + 600_000,
    next: [],
  },
  {
    id: "patch",
    name: "Patch night",
    automatic: null,
    window: {
      id: "patch",
      name: "Patch night",
      enabled: true,
      scope: { nodes: ["pve1"] },
      once: null,
      recurrence: { calendar: "sat 02:00", timezone: "Europe/Rome", durationSec: 7200 },
      adjusted: null,
      comment: "",
    },
    active: false,
    endsAt: null,
    next: fakeNext(now),
  },
];

export const fakeNext = (now: number) =>
  [1, 2, 3, 4, 5].map((week) => ({ startsAt: now + week * 604_800_000, endsAt: now + week * 604_800_000 + 7_200_000 }));

export const fakeRules = (): Rule[] => defaultRules.map((rule, index) => ({ ...rule, enabled: index !== 3 }));

export const fakeReceivers = (now: number): ReceiverView[] => [
  { receiver: defaultReceiver, secrets: [], queued: 0, dead: 0, lastDeliveredAt: now - 22 * minute, problem: null },
  {
    receiver: { ...defaultReceiver, id: "team", name: "Team chat", type: "slack", url: { ref: "team.url" } },
    secrets: ["url"],
    queued: 2,
    dead: 0,
    lastDeliveredAt: now - 3_600_000,
    problem: "HTTP 503: try again later",
  },
];

export const fakeRoutes = () => [defaultRoute];

/** A test that was refused, a message that is tried again, one that is dead, and one that arrived. */
export function fakeDeliveries(now: number): Delivery[] {
  const attempt = (minutesAgo: number, ok: boolean, answer: string) => ({
    at: now - minutesAgo * minute,
    tookMs: 210,
    ok,
    answer,
  });
  const base = exampleNotification(now as EpochMs);
  const one = (given: Partial<Delivery> & Pick<Delivery, "id" | "state" | "attempts">): Delivery => ({
    receiver: "team",
    createdAt: given.attempts[0]?.at ?? now,
    nextAttemptAt: null,
    deliveredAt: null,
    problem: null,
    notification: { ...base, id: given.id },
    ...given,
  });
  const refused = "HTTP 503: try again later";
  const verdict = "TEST: Proven can reach the receiver team";
  return [
    one({
      id: "test-1",
      state: "dropped",
      attempts: [attempt(0, false, refused)],
      problem: refused,
      notification: { ...base, id: "test-1", kind: "test", reason: "test", verdict },
    }),
    one({
      id: "n-2",
      state: "retrying",
      attempts: [attempt(14, false, refused), attempt(13, false, refused), attempt(11, false, "no answer within 20000 ms")],
      nextAttemptAt: now + 4 * minute,
      problem: "no answer within 20000 ms",
    }),
    one({
      id: "n-1",
      state: "dead",
      attempts: [attempt(1600, false, refused), attempt(90, false, "HTTP 410 this webhook was removed")],
      problem: "HTTP 410 this webhook was removed",
    }),
    one({
      id: "n-0",
      receiver: "nodes",
      state: "delivered",
      attempts: [attempt(22, true, "pve1: journal written, hooks 2 ran")],
    }),
  ];
}
