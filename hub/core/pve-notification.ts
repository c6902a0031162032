import * as z from "zod";
import type { EpochMs } from "#protocol/ids.ts";

/**
 * What a webhook target of Proxmox VE sends with the body that docs/EVENTS.md gives (pve-docs notifications.adoc; proxmox-notify
 * `endpoints/webhook.rs`). Severities and the names of fields are PVE's. A field's value is text or, where it was numeric, a number.
 */
export const pveNotificationSchema = z.strictObject({
  title: z.string().max(1000),
  message: z.string().max(200_000),
  /** `info`, `notice`, `warning`, `error`, `unknown`; another word of a later version counts as unknown. */
  severity: z.string().max(32),
  /** Seconds since the Unix epoch. */
  timestamp: z.number().nonnegative(),
  fields: z.record(z.string().max(100), z.union([z.string().max(1000), z.number(), z.boolean(), z.null()])).default({}),
});
export type PveNotification = z.output<typeof pveNotificationSchema>;

const messageMax = 4000;

export type PveNews = {
  type: "pve.notice" | "pve.warning" | "pve.error";
  facts: { title: string; message: string; severity: string; kind: string; fields: Record<string, string> };
  /** The node that notified, without its domain; undefined: it doesn't say. */
  node: string | undefined;
  at: EpochMs;
};

/** `unknown` (mail to root) is no warning: what it says nobody has judged. */
export function pveNews({ title, message, severity, timestamp, fields }: PveNotification): PveNews {
  const texts = Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]])),
  );
  const node = texts.hostname?.replace(/\..*/, "");
  return {
    type: severity === "error" ? "pve.error" : severity === "warning" ? "pve.warning" : "pve.notice",
    facts: { title: title.trim(), message: message.slice(0, messageMax), severity, kind: texts.type ?? "unknown", fields: texts },
    node: node === "" ? undefined : node,
    at: Math.round(timestamp * 1000) as EpochMs,
  };
}

/** The same notification by two matchers or a repeated request. */
export const sameNotification = ({ facts, node, at }: PveNews) =>
  JSON.stringify([facts.kind, node, at, facts.title, facts.severity]);

/** A backup task ends within this of its notification: vzdump notifies as the last thing it does (pve-manager `PVE/VZDump.pm` send_notification). */
const sameEndMs = 120_000;

/** Whether a task's end and a notification are about the same: both are told by one event then, the task's, which says more. */
export function isSameEnd(news: PveNews, task: { node: string; type: string; endedAt: number }): boolean {
  return (
    news.facts.kind === "vzdump" &&
    task.type.startsWith("backup.") &&
    news.node === task.node &&
    Math.abs(news.at - task.endedAt) <= sameEndMs
  );
}
