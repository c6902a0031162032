import type { ClusterId, EntityKey } from "#protocol/ids.ts";

/** Names of an entity and of topics. Topic levels hold no `+`, `#` or `/` of what somebody else chose. */

/** What may not stand in a name of Home Assistant (`[a-zA-Z0-9_-]`) becomes `_` and two hex digits, so that two entities never share a name. */
const escapeName = (text: string) =>
  text.replace(/[^a-zA-Z0-9-]/g, (character) => `_${character.charCodeAt(0).toString(16).padStart(2, "0")}`);

/**
 * An entity's device: the same wherever a guest runs. A vmid used again is another device. `proven-<cluster>-guest__100`; `__` parts the
 * key's words.
 */
export function deviceId(cluster: ClusterId, entity: EntityKey, incarnation = 1): string {
  const name = entity.split("/").map(escapeName).join("__");
  return `proven-${cluster}-${name}${incarnation > 1 ? `__${incarnation}` : ""}`;
}

/** `online` or, as the broker's last will, `offline`. */
export const statusTopic = (prefix: string) => `${prefix}/status`;

/** One JSON document with all that is known of an entity. */
export const stateTopic = (prefix: string, cluster: ClusterId, entity: EntityKey) => `${prefix}/${cluster}/${entity}/state`;

/** One level, whatever the id holds; decodeURIComponent() gives it back. */
export const alertTopic = (prefix: string, id: string) =>
  `${prefix}/alerts/${encodeURIComponent(id.replace(/\p{Cs}/gu, "\ufffd"))}`;

export const eventTopic = (prefix: string, type: string) => `${prefix}/events/${type}`;

export const discoveryTopic = (discoveryPrefix: string, device: string) => `${discoveryPrefix}/device/${device}/config`;

/** Where Home Assistant says `online` after its start. */
export const birthTopic = (discoveryPrefix: string) => `${discoveryPrefix}/status`;
