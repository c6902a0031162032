import { parsePropertyString } from "../property-string.ts";
import { parseBoolean } from "../values.ts";
import { type BackedUpConfig, isMountPoint, isNet } from "./backed-up-config.ts";
import {
  type Isolation,
  type IsolationPlan,
  isVolumeOf,
  type JudgedPhase,
  type Mismatch,
  type Removed,
  sandboxGateway,
} from "./isolation.ts";
import { carriesMarker, describe, hasTestTag, testTag } from "./marker.ts";

/** As in isolate-vm.ts: what may stay. Keys from the schema of `PUT /nodes/{node}/lxc/{vmid}/config`. */
const harmless = new Set(
  [
    "arch cmode console cores cpulimit cpuunits debug description digest entrypoint env features hostname lock memory nameserver onboot ostype",
    "protection searchdomain swap tags template timezone tty unprivileged",
  ].flatMap((line) => line.split(" ")),
);

/**
 * Raw lines that reach nothing outside: how the container's own first process runs, and which numbers its files were unpacked with. PVE keeps a
 * container made from an OCI image so, its environment (`env` in the API) too: without them another program would be tested than the one backed up
 * (pve-container `PVE/LXC/Create.pm` restore_oci_archive, `PVE/LXC/Config.pm` write_pct_config).
 */
const harmlessRaw = /^lxc\.(environment\.runtime|init\.(cmd|cwd|gid|groups|uid)|signal\.(halt|reboot|stop))$/;
/** Never the host's root. */
const harmlessIdmap = /^[ug]\s+\d+\s+[1-9]\d*\s+\d+$/;
const rawStays = (key: string, value: string) => harmlessRaw.test(key) || (key === "lxc.idmap" && harmlessIdmap.test(value));

const reasons: [pattern: RegExp, why: string][] = [
  [/^lxc\./, "raw configuration of LXC can reach anything on the host"],
  [/^hookscript$/, "runs on the host"],
  [/^dev\d+$/, "a device of the host"],
  [/^mp\d+$/, "a directory of the host"],
  [/^startup$/, "belongs to production"],
];
const whyRemoved = (key: string) => reasons.find(([pattern]) => pattern.test(key))?.[1] ?? "not known to be harmless";

/** True when the mount point is a volume of a storage; a path is a bind or device mount. */
function hasVolume(value: string): boolean {
  const mount = parsePropertyString(value);
  const volume = mount.get("volume") ?? mount.get("") ?? "";
  return !volume.startsWith("/") && volume.includes(":");
}

/** The one create call and what follows it. `unique` is never sent: with it PVE silently drops every net override. */
export function planContainer(config: BackedUpConfig, isolation: Isolation): IsolationPlan {
  const refusals = config.unreadable.map((line) => `a line of the configuration can't be read: ${line}`);
  const nets: Record<string, string> = {};
  const strip: Removed[] = [];
  for (const [key, value] of config.values) {
    if (isNet(key)) {
      const net = parsePropertyString(value);
      const name = net.get("name");
      if (name === undefined || !/^[-_.\w]{1,15}$/.test(name))
        refusals.push(`${key}: no usable name in "${value.slice(0, 100)}"`);
      else {
        const ip = (isolation.keepMacs ? addressOf(net) : undefined) ?? "dhcp";
        nets[key] = `name=${name},bridge=${isolation.bridge},link_down=1,ip=${ip}${hostManaged(net)}`;
      }
    } else if (isMountPoint(key)) {
      if (hasVolume(value)) continue;
      if (key === "rootfs") refusals.push("its root is a directory of the host, which no backup holds");
      else strip.push({ key, why: whyRemoved(key) });
    } else if (!stays(key)) strip.push({ key, why: whyRemoved(key) });
  }
  if (!config.values.has("rootfs")) refusals.push("the configuration names no root file system");
  if (parseBoolean(config.values.get("template")) === true)
    refusals.push("it is a template: PVE makes its copy one, too, whatever it is told, and starts none");
  const going = config.raw.filter(({ key, value }) => !rawStays(key, value));
  const raw = [...new Set(going.map(({ key }) => key))].map((key) => ({ key, why: whyRemoved(key) }));
  return { create: { ...createCall(isolation), ...nets }, strip: [...strip, ...raw], empty: [], refusals };
}

/**
 * The address that its configuration gives it, with its network: what listens on that alone would not start without. Nobody of production is in the
 * sandbox; its gateway isn't there. A network of fewer than four addresses has no room for a neighbour to talk from: undefined, as without one.
 */
function addressOf(net: ReturnType<typeof parsePropertyString>): string | undefined {
  const [, bits] = /^\d{1,3}(?:\.\d{1,3}){3}\/(\d{1,2})$/.exec(net.get("ip") ?? "") ?? [];
  return bits !== undefined && Number(bits) >= 8 && Number(bits) <= 30 ? net.get("ip") : undefined;
}

/** Whether a container, by a configuration of it, runs one program of its own in place of a system's init. */
export function startsOwnProgram({ entrypoint, lxc }: Readonly<Record<string, unknown>>): boolean {
  if (entrypoint !== undefined) return String(entrypoint) !== "/sbin/init";
  return Array.isArray(lxc) && lxc.some((line) => Array.isArray(line) && line[0] === "lxc.init.cmd");
}

/** IPv4 addresses of a container's own in a configuration of it, without their networks. */
export const ownAddresses = (written: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(written).flatMap(([key, value]) =>
    isNet(key) ? (addressOf(parsePropertyString(String(value)))?.split("/")[0] ?? []) : [],
  );

/** Nothing inside asks for an address then: PVE's own DHCP client does, from the node. */
const hostManaged = (net: ReturnType<typeof parsePropertyString>) =>
  parseBoolean(net.get("host-managed")) === true ? ",host-managed=1" : "";

const stays = (key: string) => harmless.has(key) || /^unused\d+$/.test(key);

function createCall({ operation, testVmid, source, storage, memoryMib, pool, bwlimitKib }: Isolation): Record<string, string> {
  return {
    vmid: String(testVmid),
    ostemplate: source.volid,
    restore: "1",
    storage,
    lock: "create",
    onboot: "0",
    protection: "0",
    template: "0",
    tags: testTag,
    description: describe(operation, source),
    hostname: `proven-test-${source.vmid}`,
    // PVE writes the production's, or the node's own, into the container (`PVE/LXC/Setup/Base.pm` set_dns): each question would wait for nobody.
    nameserver: sandboxGateway,
    ...(memoryMib !== undefined && { memory: String(memoryMib) }),
    ...(pool !== undefined && { pool }),
    ...(bwlimitKib !== undefined && { bwlimit: String(bwlimitKib) }),
  };
}

/**
 * The container's configuration file without what must not be there; it stays locked. Raw `lxc.*` lines can't be deleted through the API, so
 * the file is rewritten as a whole, under PVE's own lock and only if it is still what was judged.
 */
export function stripContainerFile(text: string): { text: string; removed: string[] } {
  const removed: string[] = [];
  const kept = text.split("\n").filter((line) => {
    if (line.trim() === "" || line.startsWith("#")) return true;
    const key = /^([A-Za-z][A-Za-z0-9_.-]*)\s*[:=]/.exec(line)?.[1] ?? line.slice(0, 40);
    const value = line.slice(line.search(/[:=]/) + 1).trim();
    const keep = stays(key) || rawStays(key, value) || isNet(key) || (isMountPoint(key) && hasVolume(value));
    if (!keep) removed.push(key);
    return keep;
  });
  return { text: kept.join("\n"), removed };
}

/** The same file without its lock, the last thing before the start. Undefined: there is no lock of ours, somebody else has been here. */
export function unlockContainerFile(text: string): string | undefined {
  const lines = text.split("\n");
  const locks = lines.filter((line) => /^lock\s*[:=]/.test(line));
  if (locks.length !== 1 || !/^lock\s*[:=]\s*create\s*$/.test(locks[0] as string)) return undefined;
  return lines.filter((line) => line !== locks[0]).join("\n");
}

/** The written configuration (`GET /nodes/{node}/lxc/{vmid}/config`) against what was asked; as judgeVm(). */
export function judgeContainer(
  written: Readonly<Record<string, unknown>>,
  plan: IsolationPlan,
  isolation: Isolation,
  phase: JudgedPhase,
): Mismatch[] {
  const mismatches = judgeIdentity(written, isolation, phase.locked);
  for (const [key, value] of Object.entries(written)) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (isNet(key)) mismatches.push(...judgeNet(key, text, isolation.bridge, phase.linked, plan.create[key]));
    else if (isMountPoint(key)) mismatches.push(...judgeMount(key, text, plan, isolation, phase.stripped));
    else if (phase.stripped && !(key === "lxc" ? rawLinesStay(value) : stays(key)))
      mismatches.push({ key, found: text.slice(0, 300), wanted: "absent" });
  }
  return mismatches;
}

/** `lxc` as the API gives it: pairs of key and value. */
const rawLinesStay = (lines: unknown) =>
  Array.isArray(lines) && lines.every((line) => Array.isArray(line) && rawStays(String(line[0]), String(line[1])));

function judgeIdentity(written: Readonly<Record<string, unknown>>, { operation }: Isolation, locked: boolean): Mismatch[] {
  const text = (key: string) => (written[key] === undefined ? undefined : String(written[key]));
  const mismatches: Mismatch[] = [];
  const want = (key: string, ok: boolean, wanted: string) => {
    if (!ok) mismatches.push({ key, found: text(key) ?? "absent", wanted });
  };
  want("lock", text("lock") === (locked ? "create" : undefined), locked ? "create" : "absent");
  want("onboot", (text("onboot") ?? "0") === "0", "0");
  want("protection", (text("protection") ?? "0") === "0", "0");
  want("template", (text("template") ?? "0") === "0", "0");
  want("tags", hasTestTag(text("tags")), testTag);
  want("description", carriesMarker(text("description"), operation), "our marker");
  return mismatches;
}

/** `created`: as the create call gave it. */
function judgeNet(
  key: string,
  value: string,
  bridge: string,
  linked: boolean | undefined,
  created: string | undefined,
): Mismatch[] {
  const net = parsePropertyString(value);
  const given = parsePropertyString(created ?? "").get("ip");
  const isolated =
    net.get("bridge") === bridge && (linked === true || net.get("link_down") === "1") && !net.has("trunks") && !net.has("tag");
  const addressed = net.has("gw") || net.has("gw6") || !["dhcp", undefined, given].includes(net.get("ip"));
  return isolated && !addressed ? [] : [{ key, found: value, wanted: `bridge=${bridge},link_down=1 and no gateway` }];
}

function judgeMount(key: string, value: string, plan: IsolationPlan, isolation: Isolation, stripped: boolean): Mismatch[] {
  const mount = parsePropertyString(value);
  if (isVolumeOf(isolation.testVmid, isolation.storage, mount.get("volume") ?? mount.get("") ?? "")) return [];
  if (!stripped && plan.strip.some((each) => each.key === key)) return [];
  return [{ key, found: value, wanted: `a volume of ${isolation.testVmid} on ${isolation.storage}` }];
}
