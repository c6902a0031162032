import { existsSync, readdirSync, readFileSync } from "node:fs";
import { asObjects, asText } from "../core/values.ts";
import type { Clock } from "../ports.ts";
import { type Commands, SandboxProblem } from "./commands.ts";
import { insideDevice, nameInAlias, nameInNetns, type SandboxLayout } from "./layout.ts";
import { listenerScript, sandboxNetwork } from "./listener.ts";

/** The hidden word of the agent's own command line that runs a check inside a namespace. */
export const checkWord = "sandbox-check";

export type Link = { name: string; alias: string | undefined };

/** Devices of this host, or of a namespace; undefined: it isn't there. */
async function readLinks(commands: Commands, netns?: string): Promise<Link[] | undefined> {
  const text = await commands.try("ip", [...(netns === undefined ? [] : ["-n", netns]), "-j", "link", "show"]);
  if (text === undefined) return undefined;
  return asObjects(parseList(text)).flatMap((link) => {
    const name = asText(link.ifname);
    return name === undefined ? [] : [{ name, alias: asText(link.ifalias) }];
  });
}

/** Names of all namespaces `ip netns` knows. */
async function readNamespaces(commands: Commands): Promise<string[]> {
  const text = (await commands.try("ip", ["-j", "netns", "list"])) ?? "";
  return asObjects(parseList(text)).flatMap(({ name }) => asText(name) ?? []);
}

function parseList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no output at all is an empty list
  }
}

/** Bridge, namespace, cable, DHCP, DNS and listener, in an order in which no guest could ever reach the host. Throws SandboxProblem. */
export async function build(commands: Commands, layout: SandboxLayout): Promise<void> {
  await buildBridge(commands, layout);
  await buildInside(commands, layout);
}

/** All but the bridge. */
async function buildInside(commands: Commands, layout: SandboxLayout): Promise<void> {
  await buildNamespace(commands, layout);
  await startServices(commands, layout);
}

/**
 * Anew, at the bridge that is there: guests stay plugged in, and keep their leases. Under systemd everything but the bridge ends with the agent: the
 * service's processes are killed, and the namespace had its name in the service's own mounts only. Throws SandboxProblem.
 */
export async function rebuildInside(commands: Commands, layout: SandboxLayout, clock: Clock): Promise<void> {
  const strangers = await removeInside(commands, layout, true, clock);
  if (strangers.length > 0) throw new SandboxProblem(strangers.join("; "));
  await buildInside(commands, layout);
}

/** What of a sandbox is there: all of it, at least the bridge that guests may be plugged into, or not even that. */
export async function conditionOf(commands: Commands, layout: SandboxLayout): Promise<"whole" | "broken" | "gone"> {
  const { bridge, port, netns, alias } = layout;
  const ours = ((await readLinks(commands)) ?? []).filter((link) => link.alias === alias).map(({ name }) => name);
  if (!ours.includes(bridge)) return "gone";
  // Its name may be there without it: an agent with mounts of its own left only the file.
  const inside = (await readLinks(commands, netns)) ?? [];
  const isNamespace = inside.some((link) => link.alias === alias);
  return ours.includes(port) && isNamespace && servicesOf(layout).length === 2 ? "whole" : "broken";
}

/**
 * Settings that this kernel has: one booted with `ipv6.disable=1` has none of IPv6's, so nothing of it to switch off, and sysctl fails on what isn't
 * there.
 */
export const settable = (settings: readonly string[], hasIpv6 = existsSync("/proc/sys/net/ipv6")): string[] =>
  settings.filter((setting) => hasIpv6 || !setting.startsWith("net.ipv6."));

/** In this host, or in a namespace of it. */
async function set({ must }: Commands, settings: readonly string[], netns?: string): Promise<void> {
  const known = settable(settings);
  const words = ["-q", "-w", ...known];
  if (known.length === 0) return;
  if (netns === undefined) await must("sysctl", words);
  else await must("ip", ["netns", "exec", netns, "sysctl", ...words]);
}

/**
 * No IPv6 of the host on it, and no answer to any ARP: a bridge without ports lets a guest reach pveproxy over link-local addresses, and the host
 * answers ARP for its LAN address. Both before it comes up. It learns no addresses (`ageing_time 0`): a guest that bridges its own cards sends back
 * what the sandbox says, which would then be looked for behind the guest.
 */
async function buildBridge(commands: Commands, { bridge, alias }: SandboxLayout): Promise<void> {
  const { must } = commands;
  await must("ip", ["link", "add", bridge, "type", "bridge", "forward_delay", "0", "ageing_time", "0", "mcast_snooping", "0"]);
  await must("ip", ["link", "set", bridge, "alias", alias]);
  await set(commands, [`net.ipv6.conf.${bridge}.disable_ipv6=1`, `net.ipv4.conf.${bridge}.arp_ignore=8`]);
  await must("ip", ["link", "set", bridge, "up"]);
}

async function buildNamespace(commands: Commands, { bridge, port, netns, alias }: SandboxLayout): Promise<void> {
  const { must } = commands;
  await must("ip", ["netns", "add", netns]);
  await must("ip", ["link", "add", port, "type", "veth", "peer", "name", insideDevice, "netns", netns]);
  await must("ip", ["link", "set", port, "alias", alias]);
  await must("ip", ["-n", netns, "link", "set", insideDevice, "alias", alias]);
  await set(commands, [`net.ipv6.conf.${port}.disable_ipv6=1`]);
  await must("ip", ["link", "set", port, "master", bridge, "up"]);
  const noWayOut = ["net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0", `net.ipv6.conf.${insideDevice}.accept_ra=0`];
  // A guest's own address has no route until it is known: without this the kernel would drop what it says.
  const anySource = ["net.ipv4.conf.all.rp_filter=0", `net.ipv4.conf.${insideDevice}.rp_filter=0`];
  await set(commands, [...noWayOut, ...anySource], netns);
  await must("ip", ["-n", netns, "link", "set", "lo", "up"]);
  const { gateway, prefix } = sandboxNetwork;
  await must("ip", ["-n", netns, "address", "add", `${gateway}/${prefix}`, "dev", insideDevice]);
  await must("ip", ["-n", netns, "link", "set", insideDevice, "up"]);
}

/** How firmware that looks for a system on the network names itself to DHCP: PXE, and UEFI's HTTP boot. */
const firmware = ["PXEClient", "HTTPClient"];

/** Every name has the sandbox' own address; nothing is asked elsewhere. Both go into the background by themselves once they work. */
async function startServices({ must }: Commands, { netns, folder, leases, heard }: SandboxLayout): Promise<void> {
  const { gateway, firstLease, lastLease, netmask } = sandboxNetwork;
  const inside = ["netns", "exec", netns];
  await must("ip", [...inside, "perl", "-e", listenerScript, insideDevice, heard]);
  await must("ip", [
    ...inside,
    "dnsmasq",
    "--conf-file=/dev/null",
    "--no-resolv",
    "--no-hosts",
    "--no-ping", // nobody else gives out addresses here, and a probe that fails keeps the next real packet waiting
    "--bind-interfaces",
    `--interface=${insideDevice}`,
    `--address=/#/${gateway}`,
    "--address=/#/::", // else a question for IPv6 would be refused, and some resolvers take that for the answer to both
    "--dhcp-authoritative",
    "--quiet-dhcp",
    ...firmware.map((word) => `--dhcp-vendorclass=set:firmware,${word}`),
    "--dhcp-ignore=tag:firmware", // it would look like a system that has booted
    `--dhcp-range=${firstLease},${lastLease},${netmask},12h`,
    `--dhcp-leasefile=${leases}`,
    `--pid-file=${folder}/dnsmasq.pid`,
  ]);
}

/** Removes all of it that is there; what could not be, a sentence each. `mine`: our record says that we began it, also without an alias. */
export async function demolish(commands: Commands, layout: SandboxLayout, mine: boolean, clock: Clock): Promise<string[]> {
  const problems = await removeInside(commands, layout, mine, clock);
  problems.push(...(await removeDevice(commands, layout, layout.bridge, mine)));
  const left = ((await readLinks(commands)) ?? []).filter((link) => link.alias === layout.alias);
  return [...problems, ...left.map(({ name }) => `device ${name} could not be removed`)];
}

async function removeInside(commands: Commands, layout: SandboxLayout, mine: boolean, clock: Clock): Promise<string[]> {
  await endServices(commands, layout, clock);
  const named = (await readNamespaces(commands)).includes(layout.netns);
  const problems = named ? await removeNamespace(commands, layout, mine, clock) : [];
  return [...problems, ...(await removeDevice(commands, layout, layout.port, mine))];
}

async function removeDevice(commands: Commands, { alias }: SandboxLayout, name: string, mine: boolean): Promise<string[]> {
  const link = (await readLinks(commands))?.find((each) => each.name === name);
  if (link === undefined) return [];
  if (link.alias !== alias && !(mine && link.alias === undefined)) return [`${name}: not made by Proven, left alone`];
  await commands.try("ip", ["link", "delete", name]);
  return [];
}

async function removeNamespace(commands: Commands, layout: SandboxLayout, mine: boolean, clock: Clock): Promise<string[]> {
  const { netns, alias } = layout;
  const marked = ((await readLinks(commands, netns)) ?? []).some((link) => link.alias === alias);
  if (!marked && !mine) return [`namespace ${netns}: not made by Proven, left alone`];
  // A check of ours names no folder, but it is in the namespace.
  await endAll(commands, clock, async () => (await pidsOf(commands, netns)).filter((pid) => wordsOf(pid).includes(checkWord)));
  const others = await pidsOf(commands, netns);
  const gone = await commands.try("ip", ["netns", "delete", netns]);
  if (gone === undefined) return [`namespace ${netns} could not be removed`];
  return others.map((pid) => `process ${pid} still runs in the former namespace ${netns}`);
}

async function pidsOf(commands: Commands, netns: string): Promise<string[]> {
  return ((await commands.try("ip", ["netns", "pids", netns])) ?? "").split("\n").filter((pid) => pid !== "");
}

/**
 * Ends DHCP, DNS and listener: they name the sandbox' own folder. Not by the namespace: where the agent has mounts of its own, as under systemd,
 * that of an agent before has no name any more.
 */
const endServices = (commands: Commands, layout: SandboxLayout, clock: Clock) =>
  endAll(commands, clock, async () => servicesOf(layout));

/** Process numbers of DHCP and DNS (one program), and the listener. */
function servicesOf({ folder }: SandboxLayout): string[] {
  const pids = readdirSync("/proc").filter((name) => /^[1-9][0-9]*$/.test(name) && Number(name) !== process.pid);
  return pids.filter((pid) => {
    const [program = "", ...words] = wordsOf(pid);
    return /^(.*\/)?(dnsmasq|perl)$/.test(program) && words.some((word) => word.includes(`${folder}/`));
  });
}

const endAttempts = 20;

async function endAll(commands: Commands, clock: Clock, find: () => Promise<string[]>): Promise<void> {
  for (let attempt = 0; attempt < endAttempts; attempt++) {
    const pids = await find();
    if (pids.length === 0) return;
    await commands.try("kill", ["-KILL", ...pids]);
    await clock.sleep(50);
  }
}

/** Empty: it has ended meanwhile. */
function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Sandboxes of that folder by what carries our alias, whether or not a record knows them. */
export async function markedSandboxes(commands: Commands, folder: string): Promise<Set<string>> {
  const names = new Set(((await readLinks(commands)) ?? []).flatMap(({ alias }) => nameInAlias(folder, alias) ?? []));
  for (const netns of await readNamespaces(commands)) {
    const name = nameInNetns(folder, netns);
    if (name === undefined) continue;
    const links = (await readLinks(commands, netns)) ?? [];
    if (links.some(({ alias }) => nameInAlias(folder, alias) === name)) names.add(name);
  }
  return names;
}
