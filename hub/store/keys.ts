import type { ClusterId, EntityKey } from "#protocol/ids.ts";

export const hourMs = 3_600_000;
export const dayMs = 86_400_000;

/**
 * Hours of an agent begin at its own minute, so that a hub with many of them never compacts all at once. `agent`: the store's number.
 */
const phaseMs = (agent: number) => (agent * 37 * 60_000) % hourMs;
export const hourOf = (at: number, agent: number) => Math.max(0, Math.floor((at - phaseMs(agent)) / hourMs));
export const hourStart = (hour: number, agent: number) => hour * hourMs + phaseMs(agent);

/** (hour or day, group): in order of time, so that new blocks are appended and old ones are one range. */
export function spanKey(span: number, group: number): Uint8Array {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(span, 0);
  key.writeUInt32BE(group, 4);
  return key;
}

/** The same as a number, for maps in memory. */
export const spanNumber = (span: number, group: number) => span * 2 ** 32 + group;

export function parseSpanKey(key: Uint8Array): { span: number; group: number } {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { span: view.getUint32(0), group: view.getUint32(4) };
}

const digits = (number: number) => String(number).padStart(9, "0");

export const agentKey = (cluster: string, node: string) => `agent ${cluster} ${node}`;
export const groupDocKey = (group: number) => `group ${digits(group)}`;
/** Which incarnation is the present one. */
export const currentKey = (cluster: ClusterId, entity: EntityKey) => `current ${cluster} ${entity}`;
export const entityDocKey = (cluster: ClusterId, entity: EntityKey, incarnation: number) =>
  `entity ${cluster} ${entity} ${digits(incarnation)}`;
export const laneKey = (agent: number, stream: string) => `${digits(agent)} ${stream}`;
export const schemaKey = (lane: string, seq: number) => `${lane} ${String(seq).padStart(16, "0")}`;
