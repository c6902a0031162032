/** What the hub's web push carries (hub/senders/web-push.ts formatWebPush), as far as it is shown. */
export type PushMessage = {
  title: string;
  body: string;
  /** Where a click leads; undefined: to the panel. */
  link: string | undefined;
  /** A newer message of a group takes the older one's place. */
  tag: string | undefined;
  isCritical: boolean;
  isResolved: boolean;
  actions: PushAction[];
};
export type PushAction = { action: string; title: string; url: string };

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
/** Only pages of the web: nothing that runs. */
const urlOf = (value: unknown): string | undefined =>
  typeof value === "string" && /^https?:\/\//i.test(value) ? value : undefined;

/** Undefined: nothing that can be shown. */
export function parsePushMessage(text: string): PushMessage | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const fields = json as Record<string, unknown>;
  const title = textOf(fields.title);
  if (title === undefined) return undefined;
  return {
    title,
    body: textOf(fields.body) ?? "",
    link: urlOf(fields.link),
    tag: textOf(fields.tag),
    isCritical: fields.severity === "critical",
    isResolved: fields.kind === "resolved",
    actions: Array.isArray(fields.actions) ? fields.actions.flatMap((one) => actionOf(one)) : [],
  };
}

function actionOf(value: unknown): PushAction[] {
  if (typeof value !== "object" || value === null) return [];
  const { action, title, url } = value as Record<string, unknown>;
  const [name, label, page] = [textOf(action), textOf(title), urlOf(url)];
  return name === undefined || label === undefined || page === undefined ? [] : [{ action: name, title: label, url: page }];
}
