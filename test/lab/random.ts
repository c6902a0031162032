/** FNV-1a with a final mix: the same text gives the same 32 bits on every machine, and neighbours are unlike. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A number in [0, 1) that belongs to this text. */
export const unit = (text: string): number => hash32(text) / 2 ** 32;

/** A number in [low, high) that belongs to this text. */
export const between = (text: string, low: number, high: number): number => low + unit(text) * (high - low);

/** One of `choices`, which must not be empty. */
export function pick<T>(text: string, choices: readonly T[]): T {
  return choices[hash32(text) % choices.length] as T;
}

/** `bytes` bytes in hex that belong to this text. */
export function hexOf(text: string, bytes: number): string {
  let hex = "";
  for (let i = 0; hex.length < bytes * 2; i++) hex += hash32(`${text}#${i}`).toString(16).padStart(8, "0");
  return hex.slice(0, bytes * 2);
}

/** A version 4 UUID that belongs to this text. */
export function uuidOf(text: string): string {
  const hex = hexOf(text, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** A MAC address below Proxmox' prefix BC:24:11. */
export function macOf(text: string): string {
  const hex = hexOf(text, 3).toUpperCase();
  return `BC:24:11:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`;
}
