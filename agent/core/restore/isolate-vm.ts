import { type PropertyString, parsePropertyString } from "../property-string.ts";
import { parseBoolean, splitList } from "../values.ts";
import { type BackedUpConfig, indexed, isDrive, isDumped, isNet } from "./backed-up-config.ts";
import { type Isolation, type IsolationPlan, isVolumeOf, type JudgedPhase, type Mismatch, type Removed } from "./isolation.ts";
import { carriesMarker, describe, hasTestTag, testTag } from "./marker.ts";

/**
 * Keys of a VM that touch nothing outside it. A list of what may stay, not of what must go: a key that a later PVE invents is taken out until
 * somebody has judged it. Keys from the schema of `PUT /nodes/{node}/qemu/{vmid}/config`.
 */
const harmless = new Set(
  [
    "acpi agent arch autostart balloon bios boot bootdisk cipassword citype ciupgrade ciuser cores cpu cpulimit cpuunits description digest freeze",
    "hotplug keyboard kvm localtime lock machine memory meta name nameserver numa onboot ostype protection reboot scsihw searchdomain shares smbios1",
    "smp sockets spice_enhancements sshkeys startdate tablet tags tdf template vcpus vga vmgenid",
  ].flatMap((line) => line.split(" ")),
);

const reasons: [pattern: RegExp, why: string][] = [
  [/^args$/, "raw arguments of QEMU can reach anything on the host"],
  [/^hookscript$/, "runs on the host"],
  [indexed("hostpci"), "a PCI device of the host"],
  [indexed("usb"), "a USB device of the host"],
  [indexed("serial"), "a serial device of the host"],
  [indexed("parallel"), "a parallel device of the host"],
  [indexed("virtiofs"), "a directory of the host"],
  [/^(rng0|ivshmem|audio0|watchdog)$/, "a device of the host"],
  [/^(amd-sev|intel-tdx)$/, "guest memory encryption is bound to the host"],
  [/^(startup|migrate_.*|vmstatestorage)$/, "belongs to production"],
  [/^cicustom$/, "files of the production's cloud-init"],
  [/^(affinity|numa\d+|hugepages|keephugepages|allow-ksm)$/, "reserves what the host's guests use"],
  [indexed("ipconfig"), "addresses of production"],
];
const whyRemoved = (key: string) => reasons.find(([pattern]) => pattern.test(key))?.[1] ?? "not known to be harmless";

/** `drive` is written to the backup's own volumes; what has no volume comes back as it was. */
type DriveKind = "disk" | "cloud-init" | "cd" | "host-device";

export function driveKind(value: string): DriveKind {
  const drive = parsePropertyString(value);
  const file = drive.get("file") ?? drive.get("") ?? "";
  // A drive that is not a cdrom can be named like one: PVE itself goes by the name. QemuServer/Drive.pm drive_is_cloudinit.
  if (/cloudinit(\.[a-z0-9]+)?$/.test(file) || /[:/]cloudinit$/.test(file)) return "cloud-init";
  if (drive.get("media") === "cdrom") return "cd";
  return file.startsWith("/") ? "host-device" : "disk";
}

const netModels =
  /^(e1000|e1000-82540em|e1000-82544gc|e1000-82545em|e1000e|i82551|i82557b|i82559er|ne2k_isa|ne2k_pci|pcnet|rtl8139|virtio|vmxnet3)$/;

/** Model of a VM's NIC, `virtio=MAC,…` or `model=virtio,macaddr=…`; undefined when it names none. */
function netModel(value: string): string | undefined {
  const net = parsePropertyString(value);
  const named = net.get("model") ?? net.get("");
  if (named !== undefined) return netModels.test(named) ? named : undefined;
  return [...net.keys()].find((key) => netModels.test(key));
}

/** `=MAC` of a VM's NIC; empty where it names none that a card may have. An override's wins over what `unique` would make anew. */
function macOf(value: string): string {
  const mac = [...parsePropertyString(value).values()].find((text) => /^[0-9A-F][02468ACE](:[0-9A-F]{2}){5}$/i.test(text));
  return mac === undefined ? "" : `=${mac}`;
}

/** The one create call and what follows it. Never asks for `start`, `force`, `live-restore` or HA. */
export function planVm(config: BackedUpConfig, isolation: Isolation): IsolationPlan {
  const refusals = config.unreadable.map((line) => `a line of the configuration can't be read: ${line}`);
  const nets: Record<string, string> = {};
  const strip: Removed[] = [];
  const empty: string[] = [];
  for (const [key, value] of config.values) {
    if (isNet(key)) {
      const model = netModel(value);
      if (model === undefined) refusals.push(`${key}: no known model of network card in "${value.slice(0, 100)}"`);
      else nets[key] = `${model}${isolation.keepMacs ? macOf(value) : ""},bridge=${isolation.bridge},link_down=1`;
    } else if (isDrive(key)) {
      const kind = driveKind(value);
      if (kind === "cloud-init") strip.push({ key, why: "the production's cloud-init, with its addresses" });
      if (kind === "cd") empty.push(key);
      // One that the backup holds comes back as a volume; judgeVm() sees to it.
      if (kind === "host-device" && !isDumped(config, key)) strip.push({ key, why: "a disk of the host" });
    } else if (!stays(key, value)) strip.push({ key, why: whyRemoved(key) });
  }
  if (bootParam(config).boot === "") refusals.push("it boots from its network alone, where no sandbox offers it a system");
  return { create: { ...createCall(config, isolation), ...nets }, strip, empty, refusals };
}

const stays = (key: string, value: string) =>
  harmless.has(key) || indexed("unused").test(key) || (indexed("serial").test(key) && value === "socket");

function createCall(config: BackedUpConfig, isolation: Isolation): Record<string, string> {
  const { operation, testVmid, source, storage, memoryMib, pool, bwlimitKib } = isolation;
  return {
    vmid: String(testVmid),
    archive: source.volid,
    storage,
    unique: "1",
    lock: "create",
    onboot: "0",
    protection: "0",
    template: "0",
    tags: testTag,
    description: describe(operation, source),
    name: `proven-test-${source.vmid}`,
    ...(memoryMib !== undefined && { memory: String(memoryMib), balloon: "0" }),
    ...hotplugParam(config),
    ...bootParam(config),
    ...agentParam(config),
    ...cpuParams(config, isolation.cpus),
    ...(pool !== undefined && { pool }),
    ...(bwlimitKib !== undefined && { bwlimit: String(bwlimitKib) }),
  };
}

/** Whether the backed-up machine expects a guest agent to answer (`parse_guest_agent` in qemu-server `PVE/QemuServer/Agent.pm`). */
export const hasAgent = ({ values }: Pick<BackedUpConfig, "values">): boolean => agentOf(values) !== undefined;

function agentOf(values: BackedUpConfig["values"]): PropertyString | undefined {
  const agent = parsePropertyString(values.get("agent") ?? "");
  return parseBoolean(agent.get("enabled") ?? agent.get("")) === true ? agent : undefined;
}

/** Only that there is one and where it listens: a guest without a driver for the one port answers at the other. */
function agentParam({ values }: BackedUpConfig): { agent?: string } {
  const agent = agentOf(values);
  if (agent === undefined) return values.has("agent") ? { agent: "enabled=0" } : {};
  return { agent: agent.get("type") === "isa" ? "enabled=1,type=isa" : "enabled=1" };
}

/**
 * Without its network cards, so that whatever is heard of it is said by its own system: firmware that finds none asks for an address, too. PVE's own
 * order, where none is written, ends with the network (qemu-server `PVE/QemuServer.pm` bootorder_from_legacy). Empty: nothing else is left.
 */
function bootParam({ values }: Pick<BackedUpConfig, "values">): { boot?: string } {
  const boot = parsePropertyString(values.get("boot") ?? "");
  const order = boot.get("order");
  if (order === undefined) {
    const legacy = boot.get("legacy") ?? boot.get("") ?? (values.has("boot") ? "" : "cdn");
    if (!legacy.includes("n")) return {};
    const rest = legacy.replaceAll("n", "");
    return { boot: rest === "" ? "" : `legacy=${rest}` };
  }
  const devices = splitList(order);
  const rest = devices.filter((device) => !isNet(device));
  if (rest.length === devices.length) return {};
  return { boot: rest.length === 0 ? "" : `order=${rest.join(";")}` };
}

/** Where memory can be plugged in, a VM starts only with certain sizes of it, whatever the node gives (qemu-server `PVE/QemuServer/Memory.pm` config). */
function hotplugParam({ values }: BackedUpConfig): { hotplug?: string } {
  const words = splitList(values.get("hotplug"));
  if (!words.includes("memory")) return {};
  return { hotplug: words.filter((word) => word !== "memory").join(",") || "0" };
}

/**
 * As many processors as the node has for a VM of a larger one, which PVE would not start here (qemu-server `PVE/QemuServer.pm` config_to_command: "MAX n
 * vcpus allowed per VM on this node"; not recorded). Its defaults are one socket of one core.
 */
function cpuParams({ values }: BackedUpConfig, cpus: number | undefined): Record<string, string> {
  const count = (key: string) => Math.max(1, Number.parseInt(values.get(key) ?? "1", 10) || 1);
  if (cpus === undefined || count("sockets") * count("cores") <= cpus) return {};
  return { sockets: "1", cores: String(cpus), ...(count("vcpus") > cpus && { vcpus: String(cpus) }) };
}

/** Parameters of the one PUT that strips: deletes, and drives emptied. Undefined: nothing to do. */
export function stripVmCall(plan: IsolationPlan): Record<string, string> | undefined {
  if (plan.strip.length === 0 && plan.empty.length === 0) return undefined;
  return {
    ...Object.fromEntries(plan.empty.map((key) => [key, "none,media=cdrom"])),
    ...(plan.strip.length > 0 && { delete: plan.strip.map(({ key }) => key).join(",") }),
    skiplock: "1",
  };
}

/**
 * The written configuration (`GET /nodes/{node}/qemu/{vmid}/config`) against what was asked. `stripped`: after the strip call, when nothing but
 * harmless keys may be left; before it, only what the create call sets is judged. `locked`: whether our lock must still be there.
 */
export function judgeVm(
  written: Readonly<Record<string, unknown>>,
  plan: IsolationPlan,
  isolation: Isolation,
  phase: JudgedPhase,
): Mismatch[] {
  const found = new Map(Object.entries(written).map(([key, value]) => [key, String(value)]));
  const identity = judgeIdentity(found, isolation, phase.locked);
  if (bootParam({ values: found }).boot !== undefined)
    identity.push({ key: "boot", found: found.get("boot") ?? "absent", wanted: "no network card" });
  const rest = [...found].flatMap(([key, value]): Mismatch[] => {
    if (isNet(key)) return judgeNet(key, value, isolation.bridge, phase.linked);
    if (isDrive(key)) return judgeDrive(key, value, plan, isolation, phase.stripped);
    if (!phase.stripped || stays(key, value)) return [];
    return [{ key, found: value, wanted: "absent" }];
  });
  return [...identity, ...rest];
}

function judgeIdentity(found: ReadonlyMap<string, string>, { operation }: Isolation, locked: boolean): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const want = (key: string, ok: boolean, wanted: string) => {
    if (!ok) mismatches.push({ key, found: found.get(key) ?? "absent", wanted });
  };
  want("lock", found.get("lock") === (locked ? "create" : undefined), locked ? "create" : "absent");
  want("onboot", (found.get("onboot") ?? "0") === "0", "0");
  want("protection", (found.get("protection") ?? "0") === "0", "0");
  want("template", (found.get("template") ?? "0") === "0", "0");
  want("tags", hasTestTag(found.get("tags")), testTag);
  want("description", carriesMarker(found.get("description"), operation), "our marker");
  return mismatches;
}

/** Without a bridge QEMU would give it its own NAT, which leads out. */
function judgeNet(key: string, value: string, bridge: string, linked: boolean | undefined): Mismatch[] {
  const net = parsePropertyString(value);
  const isolated =
    net.get("bridge") === bridge && (linked === true || net.get("link_down") === "1") && !net.has("trunks") && !net.has("tag");
  return isolated ? [] : [{ key, found: value, wanted: `bridge=${bridge},link_down=1` }];
}

function judgeDrive(key: string, value: string, plan: IsolationPlan, isolation: Isolation, stripped: boolean): Mismatch[] {
  const drive = parsePropertyString(value);
  const file = drive.get("file") ?? drive.get("") ?? "";
  if (isVolumeOf(isolation.testVmid, isolation.storage, file) && driveKind(value) === "disk") return [];
  const goes = plan.strip.some((each) => each.key === key) || plan.empty.includes(key);
  if (goes && !stripped) return [];
  if (drive.get("media") === "cdrom" && file === "none") return [];
  return [{ key, found: value, wanted: `a volume of ${isolation.testVmid} on ${isolation.storage}` }];
}
