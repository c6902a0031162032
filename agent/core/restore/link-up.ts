import { isNet } from "./backed-up-config.ts";
import { parsePropertyString, printPropertyString } from "./property-string.ts";

/**
 * The cards of a written configuration with their links up and everything else as it stands: without its `hwaddr` repeated a container's card would
 * get a new one. Undefined: it has no cards. MACs in upper case.
 */
export function linksUp(
  written: Readonly<Record<string, unknown>>,
): { params: Record<string, string>; macs: string[] } | undefined {
  const params: Record<string, string> = {};
  const macs: string[] = [];
  for (const [key, value] of Object.entries(written)) {
    if (!isNet(key) || typeof value !== "string") continue;
    const net = parsePropertyString(value);
    params[key] = printPropertyString([...net].map(([name, text]) => [name, name === "link_down" ? "0" : text]));
    macs.push(
      ...[...net.values()].filter((text) => /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i.test(text)).map((mac) => mac.toUpperCase()),
    );
  }
  return Object.keys(params).length === 0 ? undefined : { params, macs };
}
