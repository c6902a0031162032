import type { AgentAlert } from "#protocol/messages.ts";

/** What this node has raised and not yet called over. `local`: its agent found it out itself, the hub doesn't know of it. */
export type Raised = Readonly<Record<string, { alert: AgentAlert; local: boolean }>>;

/** One thing to tell. */
export type Telling = { state: "firing" | "resolved"; alert: AgentAlert };

/** What ways of telling take: a telling, or a test of the way itself. */
export type Told = { state: Telling["state"] | "test"; alert: AgentAlert };

/**
 * What to tell of what the hub dispatched, and what is raised after it. An episode is told once and its end once, only when its beginning
 * was; a newer episode of the same alert ends the older one. `all`: what is raised and not listed ended unseen.
 */
export function stepRaised(
  raised: Raised,
  { all, alerts }: { all: boolean; alerts: readonly AgentAlert[] },
  now: number,
): { raised: Raised; tell: Telling[] } {
  const next = { ...raised };
  const tell: Telling[] = [];
  const end = (id: string, at: number) => {
    const known = next[id];
    if (known === undefined) return;
    delete next[id];
    tell.push({ state: "resolved", alert: { ...known.alert, resolvedAt: at } });
  };
  for (const alert of alerts) {
    const known = next[alert.id]?.alert;
    if (alert.resolvedAt !== undefined) {
      if (known?.firedAt === alert.firedAt) end(alert.id, alert.resolvedAt);
      continue;
    }
    if (known?.firedAt === alert.firedAt) continue;
    end(alert.id, alert.firedAt);
    if (alert.held) continue;
    next[alert.id] = { alert, local: false };
    tell.push({ state: "firing", alert });
  }
  const listed = new Set(alerts.map(({ id }) => id));
  if (all) for (const [id, { local }] of Object.entries(next)) if (!local && !listed.has(id)) end(id, now);
  return { raised: next, tell };
}

const minutes = (ms: number) => `${Math.max(1, Math.round(ms / 60_000))} min`;

/** First line of what is told. */
export function verdictOf({ state, alert }: Told): string {
  if (state === "test") return `TEST: ${alert.text}`;
  if (state === "firing") return `${alert.severity.toUpperCase()}: ${alert.title}: ${alert.text}`;
  return `RESOLVED after ${minutes((alert.resolvedAt ?? alert.firedAt) - alert.firedAt)}: ${alert.title}: ${alert.text}`;
}

/** No value may hold a NUL (execve), and none a line break: scripts read them by the line. */
const oneLine = (value: string) => value.replace(/\p{Cc}+/gu, " ").trim();

/**
 * The environment that hooks in /etc/proven/alert.d get, documented in docs/NODE-ALERTS.md: `PROVEN_ALERT_STATE` is `firing`, `resolved` or `test`, times are ISO 8601
 * in UTC, what is not known is an empty string.
 */
export function hookEnvironment({ state, alert }: Told, node: string): Record<string, string> {
  const time = (at: number | undefined) => (at === undefined ? "" : new Date(at).toISOString());
  const values = {
    ID: alert.id,
    EPISODE: String(alert.firedAt),
    STATE: state,
    SEVERITY: alert.severity,
    RULE: alert.rule,
    ENTITY: alert.entity,
    NODE: node,
    TITLE: alert.title,
    TEXT: alert.text,
    REMEDY: alert.remedy ?? "",
    VERDICT: verdictOf({ state, alert }),
    FIRED_AT: time(alert.firedAt),
    RESOLVED_AT: time(alert.resolvedAt),
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`PROVEN_ALERT_${name}`, oneLine(value)]));
}

/** The mail to root, headers included; RFC 2047 words carry what is not ASCII. */
export function mailText(telling: Told, node: string, encodeWord: (text: string) => string): string {
  const { alert } = telling;
  const verdict = oneLine(verdictOf(telling));
  const subject = `[${node}] ${verdict}`.slice(0, 200);
  const body = [
    verdict,
    "",
    `Rule    ${alert.rule}`,
    `Entity  ${alert.entity}`,
    `Since   ${new Date(alert.firedAt).toISOString()}`,
  ];
  if (alert.resolvedAt !== undefined) body.push(`Until   ${new Date(alert.resolvedAt).toISOString()}`);
  if (alert.remedy !== undefined) body.push("", oneLine(alert.remedy));
  const headers = [
    "To: root",
    `Subject: ${/^[\x20-\x7e]*$/.test(subject) ? subject : encodeWord(subject)}`,
    "Auto-Submitted: auto-generated",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=UTF-8",
    "Content-Transfer-Encoding: 8bit",
  ];
  return `${headers.join("\n")}\n\n${body.map((line) => oneLine(line)).join("\n")}\n`;
}

/** The same before and after the node knows its own name. */
export const hubUnreachableId = "hub-unreachable";

/** The alert that an agent raises itself. One outage is one episode: `firedAt` is when it was noticed. */
export function hubUnreachable(node: string, firedAt: number, awayMs: number): AgentAlert {
  return {
    id: hubUnreachableId,
    firedAt,
    held: false,
    rule: "hub-unreachable",
    severity: "critical",
    entity: "hub",
    title: "Proven hub",
    text: `hub unreachable for ${minutes(awayMs)} from ${node}: nobody evaluates alerts; samples are kept here`,
    remedy: "Look at proven-hub on its machine (systemctl status proven-hub) and at the network between",
  };
}
