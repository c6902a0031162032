import type { Endpoint, ParamRule, Permission } from "./endpoints.ts";

/** Endpoints with which a guest is restored, judged, tried and destroyed; as PVE's API schema declares them. */

type Params = Endpoint["params"];

const flag = { type: "boolean", optional: true } as const;
const word = { type: "string", optional: true } as const;
const node = { type: "string", format: "pve-node" } as const;
const vmid = { type: "integer", format: "pve-vmid", minimum: 100, maximum: 999_999_999 } as const;

const words = (text: string) => text.split(" ");
const each = (names: string, rule: ParamRule): Params => Object.fromEntries(words(names).map((name) => [name, rule]));

const vmSettings: Params = {
  "parallel[n]": { ...word, pattern: "/dev/parport\\d+|/dev/usb/lp\\d+" },
  "serial[n]": { ...word, pattern: "(/dev/[^,]+|socket)" },
  vmgenid: { ...word, pattern: "(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])" },
  ...each(
    "acpi allow-ksm autostart ciupgrade force freeze keephugepages kvm localtime numa onboot protection reboot tablet tdf template",
    flag,
  ),
  ...each(
    "agent args audio0 cipassword ciuser description efidisk0 ide[n] ivshmem machine memory net[n] numa[n] sata[n] scsi[n] searchdomain spice_enhancements startdate tpmstate0 unused[n] usb[n] vga virtio[n] virtiofs[n]",
    word,
  ),
  affinity: { ...word, format: "pve-cpuset" },
  "amd-sev": { ...word, format: "pve-qemu-sev-fmt" },
  boot: { ...word, format: "pve-qm-boot" },
  bootdisk: { ...word, format: "pve-qm-bootdisk" },
  cdrom: { ...word, format: "pve-qm-ide" },
  cicustom: { ...word, format: "pve-qm-cicustom" },
  cpu: { ...word, format: "pve-vm-cpu-conf" },
  hookscript: { ...word, format: "pve-volume-id" },
  "hostpci[n]": { ...word, format: "pve-qm-hostpci" },
  hotplug: { ...word, format: "pve-hotplug-features" },
  "intel-tdx": { ...word, format: "pve-qemu-tdx-fmt" },
  "ipconfig[n]": { ...word, format: "pve-qm-ipconfig" },
  name: { ...word, format: "dns-name" },
  nameserver: { ...word, format: "address-list" },
  rng0: { ...word, format: "pve-qm-rng" },
  smbios1: { ...word, format: "pve-qm-smbios1" },
  sshkeys: { ...word, format: "urlencoded" },
  startup: { ...word, format: "pve-startup-order" },
  tags: { ...word, format: "pve-tag-list" },
  vmstatestorage: { ...word, format: "pve-storage-id" },
  watchdog: { ...word, format: "pve-qm-watchdog" },
  arch: { ...word, enum: words("x86_64 aarch64") },
  balloon: { type: "integer", optional: true, minimum: 0 },
  bios: { ...word, enum: words("seabios ovmf") },
  citype: { ...word, enum: words("configdrive2 nocloud opennebula") },
  cores: { type: "integer", optional: true, minimum: 1 },
  cpulimit: { type: "number", optional: true, minimum: 0, maximum: 128 },
  cpuunits: { type: "integer", optional: true, minimum: 1, maximum: 262144 },
  hugepages: { ...word, enum: words("any 2 1024") },
  keyboard: {
    ...word,
    enum: words("de de-ch da en-gb en-us es fi fr fr-be fr-ca fr-ch hu is it ja lt mk nl no pl pt pt-br sv sl tr"),
  },
  lock: { ...word, enum: words("backup clone create migrate rollback snapshot snapshot-delete suspending suspended") },
  migrate_downtime: { type: "number", optional: true, minimum: 0 },
  migrate_speed: { type: "integer", optional: true, minimum: 0 },
  ostype: { ...word, enum: words("other wxp w2k w2k3 w2k8 wvista win7 win8 win10 win11 l24 l26 solaris") },
  scsihw: { ...word, enum: words("lsi lsi53c810 virtio-scsi-pci virtio-scsi-single megasas pvscsi") },
  shares: { type: "integer", optional: true, minimum: 0, maximum: 50000 },
  smp: { type: "integer", optional: true, minimum: 1 },
  sockets: { type: "integer", optional: true, minimum: 1 },
  vcpus: { type: "integer", optional: true, minimum: 1 },
};
const vmCreate: Params = {
  ...each("ha-managed live-restore start unique", flag),
  ...each("archive", word),
  ...each("import-working-storage storage", { ...word, format: "pve-storage-id" }),
  pool: { ...word, format: "pve-poolid" },
  bwlimit: { type: "integer", optional: true, minimum: 0 },
};
const vmChange: Params = {
  ...each("skiplock", flag),
  ...each("digest", word),
  ...each("delete revert", { ...word, format: "pve-configid-list" }),
};
const containerSettings: Params = {
  ...each("console debug onboot protection template unprivileged", flag),
  ...each("description dev[n] entrypoint env features mp[n] net[n] rootfs unused[n]", word),
  hookscript: { ...word, format: "pve-volume-id" },
  hostname: { ...word, format: "dns-name" },
  nameserver: { ...word, format: "lxc-ip-with-ll-iface-list" },
  searchdomain: { ...word, format: "dns-name-list" },
  startup: { ...word, format: "pve-startup-order" },
  tags: { ...word, format: "pve-tag-list" },
  timezone: { ...word, format: "pve-ct-timezone" },
  arch: { ...word, enum: words("amd64 i386 arm64 armhf riscv32 riscv64") },
  cmode: { ...word, enum: words("shell console tty") },
  cores: { type: "integer", optional: true, minimum: 1, maximum: 8192 },
  cpulimit: { type: "number", optional: true, minimum: 0, maximum: 8192 },
  cpuunits: { type: "integer", optional: true, minimum: 0, maximum: 500000 },
  lock: { ...word, enum: words("backup create destroyed disk fstrim migrate mounted rollback snapshot snapshot-delete") },
  memory: { type: "integer", optional: true, minimum: 16 },
  ostype: { ...word, enum: words("debian devuan ubuntu centos fedora opensuse archlinux alpine gentoo nixos unmanaged") },
  swap: { type: "integer", optional: true, minimum: 0 },
  tty: { type: "integer", optional: true, minimum: 0, maximum: 6 },
};
const containerCreate: Params = {
  ...each("force ha-managed ignore-unpack-errors restore start unique", flag),
  ...each("password ssh-public-keys", word),
  pool: { ...word, format: "pve-poolid" },
  storage: { ...word, format: "pve-storage-id" },
  bwlimit: { type: "number", optional: true, minimum: 0 },
  ostemplate: { type: "string" },
};
const containerChange: Params = {
  ...each("digest", word),
  ...each("delete revert", { ...word, format: "pve-configid-list" }),
};
const firewall: Params = {
  ...each("dhcp enable ipfilter macfilter ndp radv", flag),
  ...each("digest", word),
  delete: { ...word, format: "pve-configid-list" },
  log_level_in: { ...word, enum: words("emerg alert crit err warning notice info debug nolog") },
  log_level_out: { ...word, enum: words("emerg alert crit err warning notice info debug nolog") },
  policy_in: { ...word, enum: words("ACCEPT REJECT DROP") },
  policy_out: { ...word, enum: words("ACCEPT REJECT DROP") },
};

const onGuest = (privileges: readonly string[]): Permission => ({ path: "/vms/{vmid}", privileges });
const vmConfigure = onGuest(
  words(
    "VM.Config.Disk VM.Config.CDROM VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.HWType VM.Config.Options VM.Config.Cloudinit",
  ),
);
const containerConfigure = onGuest(words("VM.Config.Disk VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.Options"));
const allocate = onGuest(["VM.Allocate"]);
const unrestricted = onGuest(["VM.GuestAgent.Unrestricted"]);

type Method = Endpoint["method"];
const onNode = (method: Method, path: string, handler: string, permission: Permission, params: Params = {}): Endpoint => ({
  method,
  path: `/nodes/{node}${path}`,
  handler,
  permission,
  params: { node, ...params },
  localNode: true,
});
const onCluster = (path: string, handler: string, permission: Permission, params: Params): Endpoint => ({
  method: "GET",
  path,
  handler,
  permission,
  params,
  localNode: false,
});
const poolContent = { ...word, enum: words("qemu lxc storage") };

export const restoreEndpoints: readonly Endpoint[] = [
  onCluster("/cluster/nextid", "nextId", "all", { vmid: { ...vmid, optional: true } }),
  onCluster("/pools", "pools", "all", { poolid: { ...word, format: "pve-poolid" }, type: poolContent }),
  onCluster(
    "/pools/{poolid}",
    "pool",
    { path: "/pool/{poolid}", privileges: ["Pool.Audit"] },
    { poolid: { type: "string", format: "pve-poolid" }, type: poolContent },
  ),
  onNode("GET", "/vzdump/extractconfig", "extractConfig", "all", { volume: { type: "string" } }),
  onNode("POST", "/qemu", "qemuCreate", "all", { vmid, ...vmSettings, ...vmCreate }),
  onNode("POST", "/lxc", "lxcCreate", "all", { vmid, ...containerSettings, ...containerCreate }),
  onNode("PUT", "/qemu/{vmid}/config", "qemuChange", vmConfigure, { vmid, ...vmSettings, ...vmChange }),
  onNode("PUT", "/lxc/{vmid}/config", "lxcChange", containerConfigure, { vmid, ...containerSettings, ...containerChange }),
  onNode("DELETE", "/qemu/{vmid}", "qemuDestroy", allocate, {
    vmid,
    ...each("destroy-unreferenced-disks purge skiplock", flag),
  }),
  onNode("DELETE", "/lxc/{vmid}", "lxcDestroy", allocate, { vmid, ...each("destroy-unreferenced-disks force purge", flag) }),
  onNode("GET", "/storage/{storage}/content/{volume}", "storageVolume", "all", {
    storage: { ...word, format: "pve-storage-id" },
    volume: { type: "string" },
  }),
  onNode("GET", "/lxc/{vmid}/interfaces", "lxcInterfaces", onGuest(["VM.Audit"]), { vmid }),
  onNode("POST", "/qemu/{vmid}/agent/exec", "agentExec", unrestricted, {
    vmid,
    command: { type: "array" },
    "input-data": word,
  }),
  onNode("GET", "/qemu/{vmid}/agent/exec-status", "agentExecStatus", unrestricted, { vmid, pid: { type: "integer" } }),
  onNode("POST", "/qemu/{vmid}/monitor", "qemuMonitor", onGuest(["Sys.Audit", "Sys.Modify"]), {
    vmid,
    command: { type: "string" },
  }),
  ...(["qemu", "lxc"] as const).flatMap((type) => [
    onNode("GET", `/${type}/{vmid}/firewall/options`, `${type}Firewall`, onGuest(["VM.Audit"]), { vmid }),
    onNode("PUT", `/${type}/{vmid}/firewall/options`, `${type}FirewallChange`, onGuest(["VM.Config.Network"]), {
      vmid,
      ...firewall,
    }),
  ]),
];
