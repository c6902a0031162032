import type { RestoreCheck, RestoreTest } from "#protocol/restore.ts";
import { parsePropertyString, printPropertyString } from "../property-string.ts";
import { isNet } from "./backed-up-config.ts";

/** Checks that need the guest's address in the sandbox; `script` gets one where there is one. */
const networked = new Set<RestoreCheck["kind"]>(["icmp", "tcp", "http", "tls", "dns", "ssh", "postgresql", "mysql", "script"]);

export const checksNeedLink = ({ checks }: Pick<RestoreTest, "checks">): boolean =>
  checks.some(({ kind }) => networked.has(kind));

/**
 * Whether it boots with its links: it must then, as it does at home. What asks for an address at boot only, or starts only where the network is, would
 * look broken, and every boot would last as long as such things wait. `expectsAgent`: a VM without one has nothing else to show that it lives.
 */
export const bootsLinked = (test: Pick<RestoreTest, "checks" | "type">, expectsAgent: boolean): boolean =>
  checksNeedLink(test) || (test.type === "qemu" && !expectsAgent);

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
