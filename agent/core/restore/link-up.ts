import type { RestoreCheck, RestoreTest } from "#protocol/restore.ts";
import { parsePropertyString, printPropertyString } from "../property-string.ts";
import { parseBoolean } from "../values.ts";
import { isNet } from "./backed-up-config.ts";

/** Checks that need the guest's address in the sandbox; `script` gets one where there is one. */
const networked = new Set<RestoreCheck["kind"]>(["icmp", "tcp", "http", "tls", "dns", "ssh", "postgresql", "mysql", "script"]);

export const checksNeedLink = ({ checks }: Pick<RestoreTest, "checks">): boolean =>
  checks.some(({ kind }) => networked.has(kind));

/** Answered by a program of a system alone: to a ping UEFI's firmware answers, too. */
const ofServices = new Set<RestoreCheck["kind"]>(["tcp", "http", "tls", "dns", "ssh", "postgresql", "mysql"]);

export const asksService = ({ kind }: RestoreCheck): boolean => ofServices.has(kind);

/**
 * Whether it boots with its links: it must then, as it does at home. What asks for an address at boot only, or starts only where the network is, would
 * look broken, and every boot would last as long as such things wait. `expectsAgent`: a VM without one has nothing else to show that it lives.
 */
export const bootsLinked = (
  test: Pick<RestoreTest, "checks" | "type">,
  expectsAgent: boolean,
  written: Readonly<Record<string, unknown>>,
): boolean => checksNeedLink(test) || (test.type === "qemu" && !expectsAgent) || nodeAsks(written);

/** PVE itself asks for an address in its place, in the start and only then, a minute for each card (pve-container `PVE/LXC.pm` vm_start). */
export const nodeAsks = (written: Readonly<Record<string, unknown>>) =>
  Object.entries(written).some(
    ([key, value]) => isNet(key) && parseBoolean(parsePropertyString(String(value)).get("host-managed")) === true,
  );

/**
 * The cards of a written configuration with their links up and everything else as it stands: without its `hwaddr` repeated a container's card would
 * get a new one. Undefined: it has no cards. MACs in upper case. `down`: one of them has none yet.
 */
export function linksUp(
  written: Readonly<Record<string, unknown>>,
): { params: Record<string, string>; macs: string[]; down: boolean } | undefined {
  const params: Record<string, string> = {};
  const macs: string[] = [];
  let down = false;
  for (const [key, value] of Object.entries(written)) {
    if (!isNet(key) || typeof value !== "string") continue;
    const net = parsePropertyString(value);
    if (net.get("link_down") === "1") down = true;
    params[key] = printPropertyString([...net].map(([name, text]) => [name, name === "link_down" ? "0" : text]));
    macs.push(
      ...[...net.values()].filter((text) => /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i.test(text)).map((mac) => mac.toUpperCase()),
    );
  }
  return Object.keys(params).length === 0 ? undefined : { params, macs, down };
}

/**
 * The devices on the bridge of all cards but the first, as PVE names them. `keys`: `net0`… of its configuration. One that bridges its cards (a
 * firewall) would make a loop of the bridge if they reached each other there; so only the first one speaks with other guests.
 */
export function furtherDevices(type: "qemu" | "lxc", vmid: number, keys: readonly string[]): string[] {
  const numbers = keys.map((key) => Number(key.slice("net".length))).sort((a, b) => a - b);
  return numbers.slice(1).map((number) => `${type === "qemu" ? "tap" : "veth"}${vmid}i${number}`);
}
