import { existsSync, readdirSync } from "node:fs";

const place = "/sys/class/net";

/** A bridge of this machine: an agent with true sandboxes makes its own, and the lab must believe in them. */
export const isRealBridge = (name: string) => /^[\w.-]{1,15}$/.test(name) && existsSync(`${place}/${name}/bridge`);

/** No port of it is a device that leads out of the machine. */
export function isRealIsolated(name: string): boolean {
  if (!isRealBridge(name)) return false;
  return readdirSync(`${place}/${name}/brif`).every((port) => !existsSync(`${place}/${port}/device`));
}
