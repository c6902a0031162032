import type { Receiver } from "#protocol/notifications.ts";

/**
 * For who may look at receivers and not change them. An address' path, its query and its user may be all that it takes to send there (Home Assistant's
 * `/api/webhook/<id>`, `?token=…`), as is the topic of a public ntfy: of an address only the server is shown.
 */
export function withoutCapabilities(receiver: Receiver): Receiver {
  switch (receiver.type) {
    case "webhook":
    case "gotify":
    case "alertmanager":
      return { ...receiver, url: serverOf(receiver.url) };
    case "ntfy":
      return { ...receiver, url: serverOf(receiver.url), topic: "…" };
    default:
      return receiver;
  }
}

function serverOf(text: string): string {
  if (!URL.canParse(text)) return "…";
  const { origin, pathname, search, hash, username, password } = new URL(text);
  return [pathname.slice(1), search, hash, username, password].every((part) => part === "") ? text : `${origin}/…`;
}
