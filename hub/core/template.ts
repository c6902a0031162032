/**
 * Templates of messages: text with `{placeholder}`s, and one section `{#alerts}…{/alerts}` that is repeated for each alert. `{{` and `}}` are
 * braces. There is nothing else: no expressions, no code, and a value is never read as a template again.
 */

export const messagePlaceholders = [
  "verdict",
  "severity",
  "kind",
  "reason",
  "time",
  "count",
  "more",
  "group",
  "route",
  "link",
] as const;
export const alertPlaceholders = [
  "title",
  "text",
  "rule",
  "severity",
  "state",
  "node",
  "instance",
  "pool",
  "tags",
  "value",
  "threshold",
  "since",
  "duration",
  "remedy",
  "link",
] as const;

export type MessageValues = Readonly<Record<(typeof messagePlaceholders)[number], string>>;
export type AlertValues = Readonly<Record<(typeof alertPlaceholders)[number], string>>;

type Part = { text: string } | { name: string } | { each: Part[] };
/** What parseTemplate accepted. */
export type Template = { readonly parts: readonly Part[] };
export type ParsedTemplate = { ok: true; template: Template } | { ok: false; problem: string; remedy: string };

const tokens = /\{\{|\}\}|\{[^{}]*\}|[{}]/g;
const named = (names: readonly string[]) => names.map((name) => `{${name}}`).join(" ");

/** Refuses what it doesn't know and names what it does: a misspelt placeholder would otherwise be seen in the message that matters. */
export function parseTemplate(text: string): ParsedTemplate {
  const outer: Part[] = [];
  let section: Part[] | undefined;
  let last = 0;
  for (const match of text.matchAll(tokens)) {
    const parts = section ?? outer;
    if (match.index > last) parts.push({ text: text.slice(last, match.index) });
    last = match.index + match[0].length;
    const token = match[0];
    if (token === "{{" || token === "}}") parts.push({ text: token.slice(1) });
    else if (token === "{" || token === "}") return bad(`a single ${token}`, "write {{ and }} for braces");
    else if (token === "{#alerts}") {
      if (section !== undefined) return bad("{#alerts} within {#alerts}", "close the first with {/alerts}");
      section = [];
    } else if (token === "{/alerts}") {
      if (section === undefined) return bad("{/alerts} without {#alerts}", "begin the section with {#alerts}");
      outer.push({ each: section });
      section = undefined;
    } else {
      const problem = unknownPlaceholder(token.slice(1, -1), section !== undefined);
      if (problem !== undefined) return problem;
      parts.push({ name: token.slice(1, -1) });
    }
  }
  if (section !== undefined) return bad("{#alerts} is not closed", "end the section with {/alerts}");
  if (last < text.length) outer.push({ text: text.slice(last) });
  return { ok: true, template: { parts: outer } };
}

const bad = (problem: string, remedy: string) => ({ ok: false as const, problem, remedy });

function unknownPlaceholder(name: string, inSection: boolean): ReturnType<typeof bad> | undefined {
  const known: readonly string[] = inSection ? [...alertPlaceholders, ...messagePlaceholders] : messagePlaceholders;
  if (known.includes(name)) return undefined;
  const ofAlerts: readonly string[] = alertPlaceholders;
  if (ofAlerts.includes(name)) return bad(`{${name}} is about one alert`, "put it between {#alerts} and {/alerts}");
  return bad(
    `unknown placeholder {${name}}`,
    `known: ${named(messagePlaceholders)}, and between {#alerts} and {/alerts}: ${named(alertPlaceholders)}`,
  );
}

/** Within the section, an alert's own values go before the message's of the same name. */
export function renderTemplate({ parts }: Template, message: MessageValues, alerts: readonly AlertValues[]): string {
  return parts.map((part) => renderPart(part, message, alerts)).join("");
}

function renderPart(part: Part, message: Readonly<Record<string, string>>, alerts: readonly AlertValues[]): string {
  if ("text" in part) return part.text;
  if ("name" in part) return message[part.name] ?? "";
  return alerts.map((alert) => part.each.map((inner) => renderPart(inner, { ...message, ...alert }, [])).join("")).join("");
}
