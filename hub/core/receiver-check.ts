import type { FieldProblem } from "#protocol/alerting.ts";
import type { Receiver, ReceiverType, SecretRef } from "#protocol/notifications.ts";
import { type OutgoingRules, type UrlParts, urlProblem } from "./outgoing-url.ts";
import { parseTemplate } from "./template.ts";

/** Where each type of receiver keeps its secrets. `optional`: a receiver without it is whole. */
export const secretFields: Record<ReceiverType, { name: string; optional: boolean }[]> = {
  email: [{ name: "password", optional: true }],
  webhook: [{ name: "secret", optional: false }],
  telegram: [{ name: "token", optional: false }],
  ntfy: [{ name: "token", optional: true }],
  gotify: [{ name: "token", optional: false }],
  discord: [{ name: "url", optional: false }],
  slack: [{ name: "url", optional: false }],
  teams: [{ name: "url", optional: false }],
  pagerduty: [{ name: "routingKey", optional: false }],
  alertmanager: [{ name: "password", optional: true }],
  "web-push": [],
  node: [],
};

export const secretName = (receiver: string, field: string): string => `receiver/${receiver}/${field}`;

/** How the rules for outgoing URLs hold for a receiver: private addresses, this machine among them, only where it says so. */
export const receiverRules = (privateAddress: boolean): OutgoingRules => ({
  allowPrivate: privateAddress,
  allowLoopback: privateAddress,
  remedy: "set privateAddress",
});

/** The receiver with the names of its own secrets, whatever names came: nobody can point it at another receiver's. */
export function withOwnRefs(receiver: Receiver): Receiver {
  const own = (field: string): SecretRef => ({ ref: secretName(receiver.id, field) });
  switch (receiver.type) {
    case "email": {
      const { smtp, ...rest } = receiver;
      if (smtp === undefined) return rest;
      return { ...rest, smtp: smtp.password === undefined ? smtp : { ...smtp, password: own("password") } };
    }
    case "webhook":
      return { ...receiver, secret: own("secret") };
    case "telegram":
    case "gotify":
      return { ...receiver, token: own("token") };
    case "ntfy":
      return receiver.token === undefined ? receiver : { ...receiver, token: own("token") };
    case "discord":
    case "slack":
    case "teams":
      return { ...receiver, url: own("url") };
    case "pagerduty":
      return { ...receiver, routingKey: own("routingKey") };
    case "alertmanager":
      return receiver.password === undefined ? receiver : { ...receiver, password: own("password") };
    case "web-push":
    case "node":
      return receiver;
  }
}

/** Fields of secrets that this receiver needs. */
export function neededSecrets(receiver: Receiver): string[] {
  const left = (receiver.type === "email" && receiver.smtp?.password === undefined) || lacksOptional(receiver);
  return secretFields[receiver.type].filter(({ optional }) => !(optional && left)).map(({ name }) => name);
}

const lacksOptional = (receiver: Receiver) =>
  (receiver.type === "ntfy" && receiver.token === undefined) ||
  (receiver.type === "alertmanager" && receiver.password === undefined);

/** The server that gets a receiver's secret; null: the secret itself names it, or there is only one. */
function secretGoesTo(receiver: Receiver): string | null {
  if (receiver.type === "email") {
    const { smtp } = receiver;
    return smtp === undefined ? null : `${smtp.tls} ${smtp.host}:${smtp.port}`;
  }
  return receiver.type === "ntfy" || receiver.type === "gotify" || receiver.type === "alertmanager"
    ? receiver.url.replace(/^(https?:\/\/[^/]+).*$/, "$1")
    : null;
}

export type ReceiverCheck = {
  receiver: Receiver;
  /** New values, by field. */
  secrets: Readonly<Record<string, string>>;
  /** What is stored now, if there is one; and the fields whose secret is stored. */
  present: { receiver: Receiver; secrets: readonly string[] } | undefined;
  /** The platform's URL parser. */
  parseUrl(text: string): UrlParts | undefined;
  isWebhookSecret(text: string): boolean;
};

/** Everything that is wrong with a receiver, each with its field and what would be right. */
export function receiverProblems(check: ReceiverCheck): FieldProblem[] {
  const { receiver, present } = check;
  if (present !== undefined && present.receiver.type !== receiver.type) {
    return [at("receiver.type", `it is a receiver of the type ${present.receiver.type}`, "make a new receiver instead")];
  }
  return [...templateProblems(receiver), ...secretProblems(check), ...addressProblems(check), ...formProblems(receiver)];
}

const at = (field: string, problem: string, remedy: string): FieldProblem => ({ field, problem, remedy });

function templateProblems({ template }: Receiver): FieldProblem[] {
  const parsed = template === undefined ? undefined : parseTemplate(template);
  return parsed === undefined || parsed.ok ? [] : [at("receiver.template", parsed.problem, parsed.remedy)];
}

function secretProblems({ receiver, secrets, present, isWebhookSecret }: ReceiverCheck): FieldProblem[] {
  const needed = neededSecrets(receiver);
  const known = needed.length === 0 ? "it has none" : `known: ${needed.join(", ")}`;
  const unknown = Object.keys(secrets).filter((name) => !needed.includes(name));
  const moved = present !== undefined && secretGoesTo(present.receiver) !== secretGoesTo(receiver);
  return [
    ...unknown.map((name) => at(`secrets.${name}`, "the receiver has no such secret", known)),
    ...needed.flatMap((name): FieldProblem[] => {
      const field = `secrets.${name}`;
      const value = secrets[name];
      if (value !== undefined) return secretValueProblems(receiver, name, value, isWebhookSecret);
      if (present === undefined || !present.secrets.includes(name)) return [at(field, "it is missing", "give its value")];
      // Else who may change a receiver, but not read its secret, would have it sent to a server of his own.
      return moved ? [at(field, "the server changed", "give the secret again, for the new server")] : [];
    }),
  ];
}

/** Where a service documents what its secrets look like. */
const secretForms: Partial<Record<ReceiverType, { form: RegExp; remedy: string }>> = {
  telegram: { form: /^\d+:[A-Za-z0-9_-]{20,}$/, remedy: "the token BotFather gave: digits, a colon, letters" },
  pagerduty: { form: /^[A-Za-z0-9]{32}$/, remedy: "the 32 characters of an Events API v2 integration" },
};

function secretValueProblems(
  { type }: Receiver,
  name: string,
  value: string,
  isWebhookSecret: (text: string) => boolean,
): FieldProblem[] {
  const field = `secrets.${name}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(value)) return [at(field, "it holds control characters", "one line, as it was given out")];
  if (type === "webhook" && !isWebhookSecret(value)) {
    return [at(field, "it is no Standard Webhooks secret", "whsec_ and the base64 of 24 to 64 random bytes")];
  }
  const { form, remedy } = secretForms[type] ?? {};
  return form === undefined || form.test(value) ? [] : [at(field, "it can't be one", remedy ?? "")];
}

function addressProblems({ receiver, secrets, parseUrl }: ReceiverCheck): FieldProblem[] {
  const rules = receiverRules(receiver.privateAddress);
  const check = (field: string, text: string) => {
    const url = parseUrl(text);
    const problem = url === undefined ? "it is no URL" : urlProblem(url, rules);
    return problem === undefined ? [] : [at(field, problem, "an https address, or http within a private network")];
  };
  switch (receiver.type) {
    case "webhook":
    case "ntfy":
    case "gotify":
    case "alertmanager":
      return check("receiver.url", receiver.url);
    case "discord":
    case "slack":
    case "teams":
      return secrets.url === undefined ? [] : check("secrets.url", secrets.url);
    case "email":
      return receiver.smtp === undefined ? [] : hostProblems(receiver.smtp.host, rules, parseUrl);
    default:
      return [];
  }
}

function hostProblems(host: string, rules: OutgoingRules, parseUrl: ReceiverCheck["parseUrl"]): FieldProblem[] {
  const url = parseUrl(`https://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}`);
  const isHost = url !== undefined && !/[/@?#\s]/.test(host);
  const problem = isHost ? urlProblem(url, rules) : "it is no host";
  return problem === undefined ? [] : [at("receiver.smtp.host", problem, "a name or an address, without a scheme or a port")];
}

const isAddress = (text: string) => /^([^<>\r\n]*<)?[^\s<>@,;]+@[^\s<>@,;]+>?$/.test(text);

function formProblems(receiver: Receiver): FieldProblem[] {
  if (receiver.type === "telegram" && !/^(-?\d+|@[A-Za-z]\w{4,})$/.test(receiver.chat)) {
    return [at("receiver.chat", "it is no chat", "a chat's number, or @ and a channel's name")];
  }
  if (receiver.type === "ntfy" && !/^[-_A-Za-z0-9]{1,64}$/.test(receiver.topic)) {
    return [at("receiver.topic", "it is no topic", "letters, digits, - and _")];
  }
  if (receiver.type === "node" && !receiver.journal && !receiver.hooks && !receiver.mail) {
    return [at("receiver.journal", "it tells nobody", "switch on journal, hooks or mail")];
  }
  if (receiver.type === "alertmanager" && (receiver.user === undefined) !== (receiver.password === undefined)) {
    return [at("receiver.user", "user and password go together", "give both or neither")];
  }
  return receiver.type === "email" ? emailProblems(receiver) : [];
}

function emailProblems({ from, to, smtp }: Extract<Receiver, { type: "email" }>): FieldProblem[] {
  const remedy = "name@example.org, or Name <name@example.org>";
  return [
    ...(isAddress(from) ? [] : [at("receiver.from", `${from} is no address`, remedy)]),
    ...to.flatMap((one, index) => (isAddress(one) ? [] : [at(`receiver.to.${index}`, `${one} is no address`, remedy)])),
    ...(smtp !== undefined && (smtp.user === undefined) !== (smtp.password === undefined)
      ? [at("receiver.smtp.user", "user and password go together", "give both or neither")]
      : []),
    ...(smtp?.password !== undefined && smtp.tls === "none"
      ? [at("receiver.smtp.tls", "a password would go over the network as it is", "use starttls or tls")]
      : []),
  ];
}
