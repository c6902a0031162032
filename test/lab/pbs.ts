import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Backup } from "./backups.ts";
import { PbsVerification } from "./pbs-verify.ts";
import type { Secrets } from "./secrets.ts";
import { readStorage } from "./storage-reading.ts";
import type { World } from "./world.ts";

/**
 * A Proxmox Backup Server with one datastore `main` and the namespaces root, `pve` and `pve/archive`. Routes and fields after
 * pbs-api-types and proxmox-backup 3.2.4; **no answer of a real server was ever seen**, so shapes may differ in what nobody reads yet.
 */
export type PbsOptions = {
  world: World;
  secrets: Secrets;
  backups(): readonly Backup[];
  now(): number;
  /** Whether a verification finds chunks of it missing or wrong. */
  isDamaged(backup: Backup): boolean;
};

type Json = Record<string, unknown>;
type Answer = { status: number; body: unknown };

export const pbsToken = "monitor@pbs!pve";
const namespaces = ["", "pve", "pve/archive"];

/** `PBSAPIToken <user>@<realm>!<id>:<secret>`, a `=` after the word allowed. */
function authorized(request: IncomingMessage, secret: string): boolean {
  const given = /^PBSAPIToken[= ](\S+):(\S+)$/.exec(request.headers.authorization ?? "");
  if (given?.[1] !== pbsToken) return false;
  const [a, b] = [Buffer.from(given[2] ?? ""), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const typeOf = ({ type }: Backup) => (type === "qemu" ? "vm" : "ct");

function snapshot(backup: Backup): Json {
  const archive = backup.type === "qemu" ? "drive-scsi0.img.fidx" : "root.pxar.didx";
  return {
    "backup-type": typeOf(backup),
    "backup-id": String(backup.vmid),
    "backup-time": Math.floor(backup.at / 1000),
    files: [
      { filename: archive, size: backup.sizeBytes, "crypt-mode": "none" },
      { filename: "index.json.blob", size: 512, "crypt-mode": "none" },
    ],
    size: backup.sizeBytes,
    owner: pbsToken,
    ...(backup.notes === "" ? {} : { comment: backup.notes }),
    protected: backup.protected,
    ...(backup.verification === undefined ? {} : { verification: backup.verification }),
  };
}

const hexTime = (seconds: number) => seconds.toString(16).toUpperCase();

async function bodyOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return new URLSearchParams(text);
}

/** The server, TLS with the lab's certificate. Answers `{data}`; errors are plain text, as in proxmox-rest-server. */
export class Pbs {
  private readonly server: Server;
  private readonly verification: PbsVerification;
  port = 0;

  constructor(private readonly options: PbsOptions) {
    const { nodeCertPem, nodeKeyPem } = options.secrets;
    this.verification = new PbsVerification(options);
    this.server = createServer({ cert: nodeCertPem, key: nodeKeyPem }, async (request, response) => {
      const { status, body } = this.answer(request, await bodyOf(request));
      const text = status === 200 ? JSON.stringify({ data: body }) : String(body);
      response.writeHead(status, { "Content-Type": status === 200 ? "application/json;charset=UTF-8" : "text/plain" });
      response.end(text);
    });
  }

  async start(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, "127.0.0.1", resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, form: URLSearchParams): Answer {
    if (!authorized(request, this.options.secrets.pbsSecret)) return { status: 401, body: "authentication failed" };
    const url = new URL(request.url ?? "/", "https://lab");
    const path = url.pathname.replace(/^\/api2\/json/, "");
    if (request.method === "POST" && path === "/admin/datastore/main/verify") return { status: 200, body: this.verify(form) };
    if (request.method !== "GET") return { status: 404, body: `no handler for ${request.method} ${path}` };
    const store = /^\/admin\/datastore\/([^/]+)(\/.*)?$/.exec(path);
    if (store !== null && store[1] !== "main") return { status: 400, body: `no such datastore '${store[1]}'` };
    const task = /^\/nodes\/localhost\/tasks\/([^/]+)\/(status|log)$/.exec(path);
    if (task !== null) return this.task(decodeURIComponent(task[1] as string), task[2] as "status" | "log");
    const ns = url.searchParams.get("ns") ?? "";
    if (!namespaces.includes(ns)) return { status: 400, body: `namespace '${ns}' not found` };
    const routes: Record<string, () => unknown> = {
      "/version": () => ({ version: "4.1.0", release: "1", repoid: "lab" }),
      "/admin/datastore": () => [{ store: "main", comment: "" }],
      "/admin/datastore/main/namespace": () => namespaces.map((name) => ({ ns: name })),
      "/admin/datastore/main/snapshots": () => this.snapshots(url.searchParams),
      "/admin/datastore/main/groups": () => this.groups(url.searchParams),
      "/admin/datastore/main/status": () => ({ ...this.usage(), "gc-status": this.gc() }),
      "/status/datastore-usage": () => [this.usageHistory()],
      "/admin/verify": () => [this.job("v-nightly", "verificationjob")],
      "/admin/prune": () => [this.job("p-daily", "prunejob")],
      "/admin/sync": () => [],
      "/admin/gc": () => [{ ...this.gc(), store: "main" }],
      "/nodes/localhost/tasks": () => [],
    };
    const route = routes[path];
    return route === undefined ? { status: 404, body: `Path '${path}' not found.` } : { status: 200, body: route() };
  }

  /** `pve` holds what the jobs saved, `pve/archive` the oldest of each guest, the root nothing. */
  private inNamespace(ns: string): Backup[] {
    const saved = this.options.backups().filter(({ storage }) => storage === "pbs1");
    if (ns === "pve") return saved;
    if (ns === "") return [];
    const oldest = new Map<number, Backup>();
    for (const backup of saved)
      if ((oldest.get(backup.vmid)?.at ?? Number.POSITIVE_INFINITY) > backup.at) oldest.set(backup.vmid, backup);
    return [...oldest.values()];
  }

  private selected(params: URLSearchParams, ns = params.get("ns") ?? ""): Backup[] {
    const [type, id] = [params.get("backup-type"), params.get("backup-id")];
    return this.inNamespace(ns).filter(
      (backup) => (type === null || type === typeOf(backup)) && (id === null || id === String(backup.vmid)),
    );
  }

  private verify(form: URLSearchParams): string {
    const time = form.get("backup-time");
    const ns = form.get("ns") ?? "";
    const below = namespaces.filter((name) => ns === "" || name === ns || name.startsWith(`${ns}/`));
    const all = below.flatMap((name) => this.selected(form, name));
    const chosen = [...new Set(all)].filter(({ at }) => time === null || Math.floor(at / 1000) === Number(time));
    const [type, id] = [form.get("backup-type"), form.get("backup-id")];
    const worker = time !== null ? "verify_snapshot" : id !== null ? "verify_group" : "verify";
    const name = ["main", ...(id === null ? [] : [`${type}/${id}`]), ...(time === null ? [] : [hexTime(Number(time))])].join(":");
    return this.verification.start(chosen, { worker, id: name, user: pbsToken });
  }

  private task(upid: string, what: "status" | "log"): Answer {
    const found = this.verification[what](upid);
    return found === undefined ? { status: 400, body: `no such task '${upid}'` } : { status: 200, body: found };
  }

  private snapshots(params: URLSearchParams): Json[] {
    return this.selected(params).map(snapshot);
  }

  private groups(params: URLSearchParams): Json[] {
    const groups = new Map<string, Backup[]>();
    for (const backup of this.selected(params)) {
      const key = `${typeOf(backup)}/${backup.vmid}`;
      groups.set(key, [...(groups.get(key) ?? []), backup]);
    }
    return [...groups].map(([key, backups]) => {
      const [type, id] = key.split("/");
      const newest = Math.max(...backups.map(({ at }) => at));
      const files = ["index.json.blob"];
      return {
        "backup-type": type,
        "backup-id": id,
        "last-backup": Math.floor(newest / 1000),
        "backup-count": backups.length,
        files,
        owner: pbsToken,
      };
    });
  }

  private usage() {
    const { world, now } = this.options;
    const storage = world.storage("pbs1");
    const [node] = world.nodes.values();
    if (storage === undefined || node === undefined) return { total: 0, used: 0, avail: 0 };
    const { total, used, avail } = readStorage(world, node, storage, now());
    return { total, used, avail };
  }

  private usageHistory(): Json {
    const { total, used, avail } = this.usage();
    const nowSec = Math.floor(this.options.now() / 1000);
    const share = total === 0 ? 0 : used / total;
    const history = Array.from({ length: 30 }, (_, index) => (index === 4 ? null : share * (0.94 + index * 0.002)));
    return {
      store: "main",
      total,
      used,
      avail,
      history,
      "history-start": nowSec - 30 * 86_400,
      "history-delta": 86_400,
      "estimated-full-date": nowSec + 200 * 86_400,
      "mount-status": "nonremovable",
      "backend-type": "filesystem",
      "gc-status": this.gc(),
    };
  }

  private gc(): Json {
    const { used } = this.usage();
    return {
      "index-file-count": this.inNamespace("pve").length * 2,
      "index-data-bytes": used * 9,
      "disk-bytes": used,
      "disk-chunks": Math.floor(used / 2_000_000),
      "removed-bytes": 0,
      "removed-chunks": 0,
      "pending-bytes": 0,
      "pending-chunks": 0,
      "removed-bad": 0,
      "still-bad": 0,
    };
  }

  private job(id: string, type: string): Json {
    const midnight = Math.floor(this.options.now() / 86_400_000) * 86_400;
    return {
      id,
      store: "main",
      schedule: "daily",
      "next-run": midnight + 86_400,
      "last-run-state": "OK",
      "last-run-endtime": midnight + 1800,
      "last-run-upid": `UPID:localhost:00000A1B:00C0FFEE:00000001:${midnight.toString(16).toUpperCase()}:${type}:main\\x3a${id}:root@pam:`,
    };
  }
}
