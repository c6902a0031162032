import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Backups, backupsSchema } from "#protocol/backups.ts";
import type { NodeName } from "#protocol/ids.ts";
import type { StorageFacts } from "#protocol/inventory.ts";
import type { ReadArchive } from "../../../agent/integrity/reading-process.ts";
import type { PbsApi } from "../../../agent/pbs/client.ts";
import type { ApiResult } from "../../../agent/pve/answer.ts";
import type { PveApi } from "../../../agent/pve/api.ts";
import { BackupGuests } from "../../../agent/sources/backup-guests.ts";
import { BackupSource } from "../../../agent/sources/backups.ts";
import { ClusterFiles } from "../../../agent/sources/cluster-files.ts";
import { NewArchives } from "../../../agent/sources/new-archives.ts";
import type { NodeSight } from "../../../agent/sources/slow-source.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const storageCfg = `dir: local
\tpath /var/lib/vz
\tcontent iso,backup

nfs: nas
\tpath /mnt/pve/nas
\tserver 192.0.2.9
\texport /x
\tcontent backup

dir: elsewhere
\tpath /x
\tcontent backup
\tnodes pve2

pbs: pbs1
\tserver pbs.example.org
\tdatastore main
\tnamespace prod
\tusername a@pbs!b
\tcontent backup
`;
const noon = Date.UTC(2026, 0, 5, 12);
const sec = (at: number) => Math.floor(at / 1000);
const vma = "nas:backup/vzdump-qemu-100-2026_01_05-02_00_00.vma.zst";
const tar = "nas:backup/vzdump-lxc-200-2026_01_01-02_00_00.tar.zst";
const entry = (volid: string, at: number, more: object = {}) => ({
  volid,
  vmid: volid.includes("100") ? 100 : 200,
  ctime: sec(at),
  size: 1000,
  format: volid.endsWith("vma.zst") ? "vma.zst" : "tar.zst",
  content: "backup",
  subtype: volid.includes("qemu") ? "qemu" : "lxc",
  ...more,
});

type Bench = {
  source: BackupSource;
  clock: FakeClock;
  content: Record<string, ApiResult>;
  calls: string[];
  heard: Backups[];
  files: ClusterFiles;
  reads: unknown[];
  pbs: { api: PbsApi | undefined };
  look(duties?: NodeSight["duties"]): Promise<void>;
};

async function bench(t: TestContext): Promise<Bench> {
  const stateDir = temporaryDir(t);
  const clock = new FakeClock(noon);
  const calls: string[] = [];
  const [heard, reads]: [Backups[], unknown[]] = [[], []];
  const content: Record<string, ApiResult> = {
    local: { ok: true, data: [] },
    nas: {
      ok: true,
      data: [entry(tar, noon - 4 * 86_400_000), entry(vma, noon - 10 * 3_600_000, { notes: "web\nfront", protected: 1 })],
    },
    pbs1: { ok: true, data: [] },
  };
  const get = async (path: string, params: { volume?: string } = {}): Promise<ApiResult> => {
    calls.push(`${decodeURIComponent(path)}${params.volume === undefined ? "" : ` ${params.volume}`}`);
    if (path.endsWith("/extractconfig"))
      return {
        ok: true,
        data: params.volume === tar ? "hostname: db\nnet0: name=eth0,hwaddr=02:00:00:00:00:01\n" : "smbios1: uuid=0a1b\n",
      };
    const storage = /\/storage\/([^/]+)\/content(\/.*)?$/.exec(path);
    if (storage?.[2] !== undefined) return { ok: true, data: { path: "/mnt/pve/nas/dump/file.vma.zst" } };
    return content[storage?.[1] ?? ""] ?? { ok: false, error: { status: 500, reason: "what?", errors: {} } };
  };
  const refuse = async () => assert.fail("nothing is changed");
  const api = { get, post: refuse, put: refuse, delete: refuse, awaitTask: refuse, close: () => undefined } as unknown as PveApi;
  const readArchive: ReadArchive = async (request) => {
    reads.push(request);
    return { bytes: 1000, sha256: "c".repeat(64), damages: [], checksummed: false, log: [] };
  };
  const pbs: Bench["pbs"] = { api: undefined };
  const nowhere: PbsApi = {
    get: async () => ({ ok: false, status: 0, problem: "ECONNREFUSED" }),
    post: async () => ({ ok: false, status: 0, problem: "ECONNREFUSED" }),
    each: async () => ({ ok: false, status: 0, problem: "ECONNREFUSED" }),
  };
  const read = async (path: string) =>
    path.endsWith(".cfg") ? { ok: true as const, text: storageCfg } : { ok: true as const, text: "secret" };
  const files = new ClusterFiles(async (path) => (path.endsWith("storage.cfg") ? read(path) : { ok: false, code: "ENOENT" }));
  await files.refresh(
    new Map([
      ["starttime", 1],
      ["storage.cfg", 1],
    ]),
  );
  const log = () => undefined;
  const archives = new NewArchives({
    root: "/",
    stateDir,
    api,
    clock,
    log,
    enabled: true,
    bytesPerSec: 7,
    readArchive: async () => readArchive,
  });
  const guests = new BackupGuests(stateDir, api, clock);
  const source = new BackupSource({ api, clock, read, connect: () => pbs.api ?? nowhere, guests, archives });
  source.listen((part) => {
    heard.push(backupsSchema.parse(part));
    return true;
  });
  const look = async (duties: NodeSight["duties"] = new Set(["backup-jobs"])) => {
    const sight = { node: "pve1" as NodeName, guests: new Map(), files, duties, members: undefined, lookedMs: 0 };
    await source.refresh({ ...sight, isRunning: () => false });
    await settle(10);
  };
  return { source, clock, content, calls, heard, files, reads, pbs, look };
}

/** The newest words on one storage and namespace. */
const last = (heard: readonly Backups[], storage: string, namespace?: string) =>
  heard.findLast((set) => set.storage === storage && (namespace === undefined || set.datastore?.namespace === namespace));

test("the agent with the duty tells shared storages and its own, with whose backup each is; one without only its own", async (t) => {
  const { look, heard, calls } = await bench(t);
  await look(new Set());
  assert.deepEqual(
    heard.map(({ storage, backups }) => [storage, backups.length]),
    [["local", 0]],
  );
  await look();
  assert.deepEqual(
    last(heard, "nas")?.backups.map(({ volid, guest }) => [volid, guest]),
    [
      [tar, ["mac:02:00:00:00:00:01"]],
      [vma, ["uuid:0a1b"]],
    ],
  );
  assert.equal(
    heard.some(({ storage }) => storage === "elsewhere"),
    false,
    "a storage of another node",
  );
  const opened = calls.filter((call) => call.includes("extractconfig"));
  assert.deepEqual(
    opened,
    [`/nodes/pve1/vzdump/extractconfig ${vma}`, `/nodes/pve1/vzdump/extractconfig ${tar}`],
    "the newest first",
  );
  await look();
  assert.equal(calls.filter((call) => call.includes("extractconfig")).length, 2, "each is looked into once");
});

test("a set is told again when it changed, after six hours, and to a new listener", async (t) => {
  const { look, heard, content, clock, source } = await bench(t);
  await look();
  await look();
  const nas = () => heard.filter(({ storage }) => storage === "nas").length;
  const before = nas();
  await clock.advance(600_000);
  await look();
  assert.equal(nas(), before);
  content.nas = { ok: true, data: [entry(vma, noon - 36_000_000)] };
  await look();
  assert.deepEqual([nas(), last(heard, "nas")?.backups.length], [before + 1, 1]);
  await clock.advance(6 * 3_600_000 + 1);
  await look();
  assert.equal(nas(), before + 2);
  const again: Backups[] = [];
  source.listen((part) => again.push(part) > 0);
  await look();
  assert.deepEqual(
    again.map(({ storage }) => storage),
    ["local", "nas", "pbs1"],
  );
  source.listen(undefined);
  assert.equal(source.everyMs({ node: "pve1" as NodeName } as NodeSight), undefined);
});

test("a storage that was switched off and is on again is listed at once, and told although nothing changed", async (t) => {
  const { look, heard, source, files } = await bench(t);
  await look();
  const all = files.backupStorages;
  const sight = { node: "pve1", files, duties: new Set(["backup-jobs"]) } as unknown as NodeSight;
  files.backupStorages = [];
  assert.equal(source.everyMs(sight), undefined);
  files.backupStorages = all;
  assert.equal(source.everyMs(sight), 0);
  const before = heard.length;
  await look();
  assert.deepEqual(
    heard.slice(before).map(({ storage }) => storage),
    ["local", "nas", "pbs1"],
  );
});

test("a storage that can't be listed is told with its problem, and what is known of its backups stays", async (t) => {
  const { look, heard, content, source, calls } = await bench(t);
  await look();
  content.nas = { ok: false, error: { status: 500, reason: "storage 'nas' is not online", errors: {} } };
  await look();
  const { backups, problem } = last(heard, "nas") as Backups;
  assert.deepEqual([backups, problem], [[], "local API: 500 storage 'nas' is not online"]);
  assert.equal(source.problem, "nas: local API: 500 storage 'nas' is not online");
  content.nas = { ok: true, data: [entry(vma, noon - 36_000_000), entry(tar, noon - 4 * 86_400_000)] };
  await look();
  assert.deepEqual(
    last(heard, "nas")?.backups.map(({ guest }) => guest?.length),
    [1, 1],
  );
  assert.equal(calls.filter((call) => call.includes("extractconfig")).length, 2);
});

test("new file archives get their SHA-256 once, old ones never", async (t) => {
  const { look, heard, reads, source } = await bench(t);
  await look();
  assert.deepEqual(reads, [{ path: "/mnt/pve/nas/dump/file.vma.zst", bytesPerSec: 7 }]);
  const nas: StorageFacts = { storage: "nas", type: "nfs", shared: true, content: ["backup"], enabled: true, nodes: [] };
  const soon = source.everyMs({
    node: "pve1",
    files: { backupStorages: [nas] },
    duties: new Set(["backup-jobs"]),
  } as unknown as NodeSight);
  assert.equal(soon, 60_000, "the sum is told soon");
  await look();
  assert.equal(reads.length, 1);
  assert.deepEqual(
    last(heard, "nas")?.backups.map(({ sha256 }) => sha256),
    [undefined, { hex: "c".repeat(64), at: noon }],
  );
});

test("a datastore is told namespace by namespace with owners; without the Backup Server PVE's own listing must do", async (t) => {
  const { look, heard, pbs, content, calls } = await bench(t);
  const volid = "pbs1:backup/vm/100/2026-01-05T02:00:00Z";
  content.pbs1 = { ok: true, data: [entry(volid, noon - 36_000_000, { format: "pbs-vm", subtype: "qemu" })] };
  await look();
  const key = last(heard, "pbs1")?.datastore?.key ?? "";
  assert.match(key, /^datastore\/[0-9a-f]{16}\/main$/);
  assert.deepEqual(
    last(heard, "pbs1")?.backups.map((backup) => [backup.volid, backup.owner]),
    [[volid, undefined]],
  );
  pbs.api = {
    get: async () => ({ ok: true, data: [{ ns: "" }, { ns: "prod" }, { ns: "other" }] }),
    post: async () => assert.fail("nothing is changed"),
    each: async (_, { ns }, take) => {
      take({ "backup-type": "vm", "backup-id": "100", "backup-time": sec(noon) - 36_000, owner: `${ns}@pbs` });
      return { ok: true, data: 1 };
    },
  };
  calls.length = 0;
  await look();
  assert.deepEqual(
    ["prod", "", "other"].map((namespace) =>
      last(heard, "pbs1", namespace)?.backups.map((backup) => [backup.volid, backup.owner, backup.guest]),
    ),
    [[[volid, "prod@pbs", ["uuid:0a1b"]]], [[volid, "@pbs", undefined]], [[volid, "other@pbs", undefined]]],
  );
  assert.deepEqual(
    calls.filter((call) => call.includes("/storage/pbs1/")),
    [],
  );
});
