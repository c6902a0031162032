import type { NodeName } from "#protocol/ids.ts";
import { nodeKey } from "#protocol/ids.ts";
import { encodeSchema } from "#protocol/records.ts";
import { ConfigError, parseConfig } from "../../../agent/config.ts";
import { hostName, originAllowed } from "../../../agent/core/gateway/origin.ts";
import { lookAtTicket, ticketOfCookies } from "../../../agent/core/gateway/ticket.ts";
import { makeView, parsePermissions, parseResources } from "../../../agent/core/gateway/view.ts";
import { parsePropertyString } from "../../../agent/core/property-string.ts";
import { parseRecordOutline } from "../../../agent/core/record-outline.ts";
import { parseBackedUpConfig, parseDiskSize } from "../../../agent/core/restore/backed-up-config.ts";
import { foldJournal, parseJournal } from "../../../agent/core/restore/journal.ts";
import { parseProcessStat } from "../../../agent/core/restore/orphans.ts";
import { ddSpeed, largestDisk, readsPerSecond } from "../../../agent/core/restore/read-speed.ts";
import { parseJsonObject } from "../../../agent/core/values.ts";
import { csrfTokenFits } from "../../../agent/gateway/csrf.ts";
import { factorsOf } from "../../../agent/gateway/logins.ts";
import { archiveKindOf, readGzip, readLzopHeader, readZstdFrames } from "../../../agent/integrity/compression.ts";
import { Feeder, type FormatReader } from "../../../agent/integrity/feeder.ts";
import { parsePbsVolid } from "../../../agent/integrity/pbs-verify.ts";
import { ArchiveDamage, readVma } from "../../../agent/integrity/vma.ts";
import { parseHeard, parseLeases } from "../../../agent/sandbox/listener.ts";
import { encodeEntries, parseEntries } from "../../../agent/segment-file.ts";
import { parseBackupContent, parseSnapshotBackup } from "../../../agent/sources/backup-answers.ts";
import * as cluster from "../../../agent/sources/cluster-config.ts";
import { parseJobs, parseReplicationConfig } from "../../../agent/sources/cluster-files.ts";
import { parseGuestConfig } from "../../../agent/sources/guest-config.ts";
import { MetricsLine } from "../../../agent/sources/metrics-line.ts";
import { parseTaskLine } from "../../../agent/sources/tasks.ts";
import { recorded } from "../recorded-node.ts";
import { writeVma } from "../vma-writer.ts";
import { expecting, ofBytes, ofText, type Target } from "./target.ts";

const agentToml = `root = "/"
[hub]
url = "wss://192.0.2.1:8420/agent"
fingerprint = "${Array(32).fill("AB").join(":")}"
[restore_test]
enabled = true
vmid_first = 990000
vmid_last = 990099
storages = ["local-zfs"]
`;
const id = "00000000-0000-4000-8000-000000000000";
const journal = `{"entry":"seen","at":1}\n{"entry":"refused","at":4,"why":"VM 990000 already exists"}\n{"entry":"cancel","at":5,"actor":"root@pam"}\n`;
const volumes = JSON.stringify({
  data: [
    {
      volid: "nfs1:backup/vzdump-qemu-100-2026_01_05-01_00_00.vma.zst",
      ctime: 1,
      size: 2,
      vmid: 100,
      format: "vma.zst",
      content: "backup",
    },
  ],
});
const snapshots = JSON.stringify({
  data: [{ "backup-type": "vm", "backup-id": "100", "backup-time": 1, size: 3, files: ["a"], protected: false }],
});
const resources = JSON.stringify({
  data: [
    { type: "qemu", vmid: 100, node: "pve1" },
    { type: "node", node: "pve1", maxcpu: 4 },
    { type: "storage", storage: "a", node: "pve1" },
    { type: "pool", pool: "prod" },
  ],
});
const permissions = JSON.stringify({ data: { "/vms/100": { "VM.Audit": 1, "VM.PowerMgmt": 1 }, "/": { "Sys.Audit": 1 } } });
const ticket = "PVE:root@pam:6B03A039::aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=";
const csrf = `6B03A039:${"a".repeat(43)}`;
const halfDone = `PVE:!tfa!${encodeURIComponent('{"totp":true,"recovery":[1,2]}')}:6B03A039::aGVsbG8=`;

const vma = new Uint8Array(Buffer.concat([...writeVma([{ name: "drive-scsi0", bytes: 3 * 65_536, cluster: () => undefined }])]));
/** Magic, frame header descriptor, window, one raw block of three bytes marked last. */
const zstd = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x19, 0, 0, 97, 98, 99, 1, 2, 3, 4);
const gzip = Uint8Array.of(0x1f, 0x8b, 8, 0x1c, 0, 0, 0, 0, 0, 3, 2, 0, 65, 66, 97, 0, 98, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const lzop = Uint8Array.of(
  0x89,
  0x4c,
  0x5a,
  0x4f,
  0,
  0x0d,
  0x0a,
  0x1a,
  0x0a,
  0x10,
  0x30,
  0x20,
  0x80,
  9,
  0x40,
  1,
  5,
  3,
  0,
  0,
  1,
  0,
  0,
);
const schemaRecord = encodeSchema(1, {
  entities: [{ key: nodeKey("pve1" as NodeName), identity: [] }],
  series: [{ entity: 0, metric: 1, source: "proc" }],
});

/** Through a feeder, in pieces of odd sizes. */
function feed(reader: FormatReader, bytes: Uint8Array): void {
  const feeder = new Feeder(reader);
  for (let at = 0; at < bytes.length; at += 4097) feeder.push(Buffer.from(bytes.subarray(at, at + 4097)));
  feeder.end();
}

const archive = expecting(ArchiveDamage);
const view = (text: string) => {
  const [found, paths] = [parseResources(parseJsonObject(text)?.data), parsePermissions(parseJsonObject(text)?.data)];
  if (found !== undefined || paths !== undefined)
    makeView({
      ...{ cluster: "a", user: "root@pam", goneGuests: true, audited: [], permissions: paths ?? new Map() },
      resources: found ?? { guests: [], nodes: [], storages: [], pools: [], figured: [] },
    });
};

/** What the agent reads: files of Proxmox VE, answers, archives, its own files, what browsers send. */
export const agentTargets: Target[] = [
  ofText("agent.toml", [agentToml, ""], (text) => expecting(ConfigError)(() => parseConfig(text))),
  ofText("a VM's configuration", [recorded("etc-pve_qemu-server_100.conf"), recorded("etc-pve_qemu-server_9000.conf")], (text) =>
    parseGuestConfig(text, "qemu"),
  ),
  ofText("a container's configuration", [recorded("etc-pve_lxc_200.conf")], (text) => parseGuestConfig(text, "lxc")),
  ofText("a backup's configuration", [recorded("etc-pve_qemu-server_101.conf"), recorded("etc-pve_lxc_200.conf")], (text) => {
    parseBackedUpConfig("qemu", text);
    parseBackedUpConfig("lxc", text);
  }),
  ofText("a property string", ["local-zfs:vm-100-disk-0,size=32G,ssd=1", "virtio=BC:24:11:00:00:01,bridge=vmbr0"], (text) => {
    parsePropertyString(text);
    parseDiskSize(text);
  }),
  ofText("storage.cfg", [recorded("etc-pve_storage.cfg")], cluster.parseStorageConfig),
  ofText("user.cfg", [recorded("etc-pve_user.cfg")], cluster.parsePools),
  ofText(
    "datacenter.cfg and other sections",
    [recorded("etc-pve_storage.cfg"), "pbs: a\n\tserver b\n"],
    cluster.parseSectionConfig,
  ),
  ofText("corosync.conf", ["totem {\n  cluster_name: lab\n  version: 2\n}\n"], cluster.parseClusterName),
  ofText(".members and .vmlist", [recorded("etc-pve_dot-members"), recorded("etc-pve_dot-vmlist")], (text) => {
    cluster.parseMembers(text);
    cluster.parseVmlist(text);
  }),
  ofText("jobs.cfg", ["vzdump: a-1\n\tall 1\n\tschedule mon..fri 02:00\n\tvmid 100,101\n"], parseJobs),
  ofText("replication.cfg", ["local: 100-0\n\ttarget pve2\n\trate 10\n\tschedule */15\n"], parseReplicationConfig),
  ofText("the metrics line", [recorded("run-pve_metrics.line.json")], (text) =>
    new MetricsLine().parse(Buffer.from(text), Buffer.byteLength(text)),
  ),
  ofText(
    "the task lists",
    [...recorded("tasks_active").split("\n").slice(0, 3), ...recorded("tasks_index").split("\n").slice(0, 3)],
    (text) => {
      parseTaskLine(text, "active");
      parseTaskLine(text, "index");
    },
  ),
  ofText("a listing of backups", [volumes, snapshots], (text) => {
    parseBackupContent(parseJsonObject(text)?.data);
    const [first] = (parseJsonObject(text)?.data as unknown[] | undefined) ?? [];
    if (typeof first === "object" && first !== null) parseSnapshotBackup("pbs", first as Record<string, unknown>);
  }),
  ofText("a Backup Server's volid", ["pbs:backup/vm/100/2026-08-20T01:00:00Z"], parsePbsVolid),
  ofText("an archive's name", ["vzdump-qemu-100-2026_01_05-01_00_00.vma.zst", "a.tar.lzo"], archiveKindOf),
  ofBytes("a VMA", [vma], (bytes) => archive(() => feed(readVma({ devices: [], clusters: 0 }), bytes))),
  ofBytes("zstd frames", [zstd], (bytes) => archive(() => feed(readZstdFrames({ all: undefined }), bytes))),
  ofBytes("gzip members", [gzip], (bytes) => archive(() => feed(readGzip({ all: undefined }), bytes))),
  ofBytes("an lzop header", [lzop], (bytes) => archive(() => feed(readLzopHeader({ all: undefined }), bytes))),
  ofText("an operation's journal", [journal], (text) => foldJournal(id, parseJournal(text))),
  ofBytes("a spool segment", [new Uint8Array(encodeEntries([schemaRecord]))], (bytes) => parseEntries(Buffer.from(bytes))),
  ofBytes("a record's outline", [schemaRecord], parseRecordOutline),
  ofText("/proc/PID/stat", ["123 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"], parseProcessStat),
  ofText(
    "output of dd, lsblk and the reader",
    ["268435456 bytes (268 MB, 256 MiB) copied, 0.123 s, 2.2 GB/s", "vda 34359738368 disk\n", "1234.5\n"],
    (text) => {
      ddSpeed(text);
      largestDisk(text);
      readsPerSecond(text);
    },
  ),
  ofText(
    "what a sandbox hears",
    ["arp BC:24:11:00:00:01 10.0.0.7\nip6 BC:24:11:00:00:01 fe80::1\n", "1 bc:24:11:00:00:01 10.0.0.7 web *\n"],
    (text) => {
      parseHeard(text);
      parseLeases(text);
    },
  ),
  ofText("cookies", [`a=b; PVEAuthCookie=${encodeURIComponent(ticket)}; c=d`], ticketOfCookies),
  ofText("tickets", [ticket, halfDone], (text) => {
    lookAtTicket(text, 1_795_399_738_000);
    factorsOf(text);
  }),
  ofText("CSRF prevention tokens", [csrf], (text) =>
    csrfTokenFits(text, Buffer.from("root@pam"), Buffer.from("key"), 1_795_399_738_000),
  ),
  ofText("Host and Origin", ["pve1.lan:8421", "https://[fe80::1]:8006", "192.0.2.1"], (text) => {
    hostName(text);
    originAllowed(text, text, 8006);
  }),
  ofText("what a user sees", [resources, permissions], view),
];
