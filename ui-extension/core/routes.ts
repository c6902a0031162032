import type { Receiver, ReceiverType, Route } from "#protocol/notifications.ts";
import { scopeText } from "./rules.ts";
import type { Translate } from "./text.ts";
import { formatDuration } from "./units.ts";

/** What a route takes: `critical, warning; on pve1`. */
export function routeMatchText({ match }: Route, t: Translate): string {
  const parts = [
    match.severities === undefined ? "" : match.severities.map((severity) => t(severity)).join(", "),
    match.scope === undefined ? "" : scopeText(match.scope, t),
    match.rules === undefined ? "" : t("rules {list}", { list: match.rules.join(", ") }),
    match.times === undefined ? "" : t("at {calendar}", { calendar: match.times.calendar }),
  ].filter((part) => part !== "");
  return parts.length === 0 ? t("every alert") : parts.join("; ");
}

/** How a route tells: repeats, escalation, quiet hours. */
export function routeTellingText(route: Route, t: Translate): string {
  const steps = route.escalation.map(({ afterSec, receivers }) =>
    t("after {time} also {who}", { time: formatDuration(afterSec), who: receivers.join(", ") }),
  );
  const quiet = route.quietHours;
  return [
    route.repeatSec === 0 ? t("never repeated") : t("repeated every {time}", { time: formatDuration(route.repeatSec) }),
    ...steps,
    quiet === undefined
      ? ""
      : t("quiet from {calendar} for {time}", { calendar: quiet.times.calendar, time: formatDuration(quiet.times.durationSec) }),
  ]
    .filter((part) => part !== "")
    .join("; ");
}

export const blankRoute = (order: number): Route => ({
  id: "",
  name: "",
  enabled: true,
  order,
  match: { severities: ["critical"] },
  continue: false,
  receivers: [],
  groupBy: ["cluster", "rule"],
  groupWaitSec: 0,
  groupIntervalSec: 60,
  repeatSec: 86_400,
  escalation: [],
});

type FieldSpec = {
  name: string;
  label: string;
  kind: "text" | "url" | "list" | "number" | "flag" | "secret";
  optional?: boolean;
};

/** Fields of each kind of receiver that can be set up here; English labels, to be translated. */
export const receiverFields: Record<ReceiverType, readonly FieldSpec[]> = {
  email: [
    { name: "from", label: "From", kind: "text" },
    { name: "to", label: "To, separated by commas", kind: "list" },
    { name: "smtp.host", label: "Mail server (empty: this host's own)", kind: "text", optional: true },
    { name: "smtp.port", label: "Port", kind: "number", optional: true },
    { name: "smtp.tls", label: "Encryption: none, starttls or tls", kind: "text", optional: true },
    { name: "smtp.user", label: "User", kind: "text", optional: true },
    { name: "smtp.password", label: "Password", kind: "secret", optional: true },
  ],
  webhook: [
    { name: "url", label: "URL", kind: "url" },
    { name: "secret", label: "Signing secret", kind: "secret" },
  ],
  telegram: [
    { name: "token", label: "Bot token", kind: "secret" },
    { name: "chat", label: "Chat id", kind: "text" },
    { name: "thread", label: "Thread id", kind: "number", optional: true },
  ],
  ntfy: [
    { name: "url", label: "Server's URL", kind: "url" },
    { name: "topic", label: "Topic", kind: "text" },
    { name: "token", label: "Token", kind: "secret", optional: true },
  ],
  gotify: [
    { name: "url", label: "Server's URL", kind: "url" },
    { name: "token", label: "Token", kind: "secret" },
  ],
  discord: [{ name: "url", label: "Webhook URL", kind: "secret" }],
  slack: [{ name: "url", label: "Webhook URL", kind: "secret" }],
  teams: [{ name: "url", label: "Webhook URL", kind: "secret" }],
  pagerduty: [{ name: "routingKey", label: "Integration key", kind: "secret" }],
  alertmanager: [
    { name: "url", label: "Server's URL", kind: "url" },
    { name: "user", label: "User", kind: "text", optional: true },
    { name: "password", label: "Password", kind: "secret", optional: true },
  ],
  "web-push": [],
  node: [
    { name: "journal", label: "Journal", kind: "flag" },
    { name: "hooks", label: "Hook scripts", kind: "flag" },
    { name: "mail", label: "Mail to root, as PVE sends it", kind: "flag" },
  ],
};

export const receiverTypes = Object.keys(receiverFields) as readonly ReceiverType[];

/** Kinds whose messages can carry links. */
export const takesActions = (type: ReceiverType): boolean => !["node", "alertmanager", "pagerduty"].includes(type);
/** Kinds whose messages have a text of ours. */
export const takesTemplate = (type: ReceiverType): boolean => type !== "node" && type !== "alertmanager";

/** What a form holds: texts and flags by field name. */
export type ReceiverForm = {
  id: string;
  name: string;
  type: ReceiverType;
  enabled: boolean;
  resolved: boolean;
  privateAddress: boolean;
  /** Messages carry links that acknowledge or silence. */
  actions: boolean;
  /** Of the text below the first line; empty: the built-in one. */
  template: string;
  values: Readonly<Record<string, string | boolean>>;
};

/** What a new one's fields say at first, where that is not nothing. */
const usualValues: Partial<Record<ReceiverType, ReceiverForm["values"]>> = {
  node: { journal: true, hooks: true, mail: false },
  email: { "smtp.port": "587", "smtp.tls": "starttls" },
};

export const blankReceiver = (type: ReceiverType): ReceiverForm => ({
  id: "",
  name: "",
  type,
  enabled: true,
  resolved: true,
  privateAddress: false,
  actions: true,
  template: "",
  values: { ...usualValues[type] },
});

/** The form of a receiver that is there. Secrets stay empty: the hub never says them, and an empty one stays as it is. */
export function receiverForm(receiver: Receiver): ReceiverForm {
  const { id, name, type, enabled, resolved, privateAddress } = receiver;
  const values: Record<string, string | boolean> = {};
  for (const field of receiverFields[type]) {
    const value = field.kind === "secret" ? undefined : valueAt(receiver, field.name);
    if (value === undefined) continue;
    values[field.name] = typeof value === "boolean" ? value : [value].flat().join(", ");
  }
  const { actions = true, template = "" } = receiver;
  return { id, name, type, enabled, resolved, privateAddress, actions, template, values };
}

function valueAt(receiver: Receiver, path: string): unknown {
  let value: unknown = receiver;
  for (const part of path.split(".")) {
    value = typeof value === "object" && value !== null ? Object.entries(value).find(([name]) => name === part)?.[1] : undefined;
  }
  return value;
}

/**
 * The request a form makes, on top of what was there (`before`: fields that this form does not show stay). The hub checks it: the shape is
 * its schema's, not this function's.
 */
export function receiverRequest(
  form: ReceiverForm,
  before: Receiver | undefined,
): { receiver: Record<string, unknown> & { id: string }; secrets: Record<string, string> } {
  const { values, actions, template, ...common } = form;
  const receiver: Record<string, unknown> & { id: string } = { ...(before?.type === form.type ? before : {}), ...common };
  // Absent is how they come; an answer of an older hub is not changed by opening it.
  if (actions) delete receiver.actions;
  else receiver.actions = false;
  if (template === "") delete receiver.template;
  else receiver.template = template;
  const secrets: Record<string, string> = {};
  const withSmtp = String(values["smtp.host"] ?? "") !== "";
  if (form.type === "email") receiver.smtp = withSmtp ? { ...(before?.type === "email" ? before.smtp : {}) } : undefined;
  for (const { name, kind } of receiverFields[form.type]) {
    const [outer = "", inner] = name.split(".", 2);
    if (inner !== undefined && !withSmtp) continue;
    const target = inner === undefined ? receiver : (receiver[outer] as Record<string, unknown>);
    const key = inner ?? outer;
    const typed = values[name];
    if (kind === "secret") {
      if (typeof typed !== "string" || typed === "") continue;
      secrets[key] = typed;
      target[key] = { ref: `${form.id}.${key}` };
    } else target[key] = parseValue(kind, typed);
  }
  return { receiver, secrets };
}

function parseValue(kind: FieldSpec["kind"], typed: string | boolean | undefined): unknown {
  if (kind === "flag") return typed === true;
  const text = typeof typed === "string" ? typed.trim() : "";
  if (kind === "list")
    return text
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== "");
  if (text === "") return undefined;
  return kind === "number" ? Number(text) : text;
}
