import { open } from "node:fs/promises";
import { join } from "node:path";
import { parseUpid } from "#protocol/ids.ts";
import type { GuestSeen } from "../core/restore/ours.ts";
import { availableMib, heldMib, processorCount, type StorageState } from "../core/restore/resources.ts";
import type { LogLine } from "../core/restore/task-progress.ts";
import { asFlag, asNumber, asObject, asObjects, asText, splitList } from "../core/values.ts";
import type { ApiError } from "../pve/answer.ts";
import { parseMembers, parseVmlist } from "../sources/cluster-config.ts";
import { readText } from "../sources/files.ts";
import type { RestorePorts } from "./ports.ts";

/** What a restore test reads of its node. Every answer is of this very moment; what can't be read is a problem, never an assumption. */

/** `unanswered`: the node's own API said nothing at all. */
export type Read<T> = { ok: true; value: T } | { ok: false; problem: string; unanswered?: true };

export type BackupFound = { volid: string; at: number | undefined; bytes: number | undefined; format: string | undefined };

export type ListedGuest = { vmid: number; node: string; type: "qemu" | "lxc" };

/** Types of tasks that make a guest or bring one here (qemu-server and pve-container: `qmcreate`, `vzrestore`, `qmclone` …). */
const makes = /^(qm|vz)(create|restore|clone|migrate)$/;

/** Types of tasks that end a running guest or keep it from running on, for a while at least (the same packages: `qmstop`, `vzshutdown`, `qmigrate` …). */
const disturbs = /^((qm|vz)(stop|shutdown|reboot|reset|suspend|pause|rollback|destroy)|qmigrate|vzmigrate)$/;

export const tellError = ({ reason, errors }: ApiError) =>
  [reason, ...Object.entries(errors).map(([key, text]) => `${key}: ${text}`)].join("; ").slice(0, 1500);

const bad = (problem: string) => ({ ok: false, problem }) as const;
const good = <T>(value: T) => ({ ok: true, value }) as const;

export class NodeView {
  private readonly read: ReturnType<typeof readText>;

  constructor(readonly ports: Pick<RestorePorts, "root" | "node" | "api">) {
    this.read = readText(ports.root);
  }

  /** Data of a GET below /nodes/{node}. */
  async ask(path: string, params?: Record<string, string | number>): Promise<Read<unknown>> {
    const result = await this.ports.api.get(`/nodes/${this.ports.node}${path}`, params);
    if (result.ok) return good(result.data);
    return { ...bad(tellError(result.error)), ...(result.error.status === 0 && { unanswered: true }) };
  }

  /** Every guest of the cluster. */
  async guests(): Promise<Read<ListedGuest[]>> {
    const file = await this.read("/etc/pve/.vmlist");
    const listed = file.ok ? parseVmlist(file.text) : undefined;
    if (listed === undefined) return bad("The cluster's list of guests can't be read");
    return good(listed.map(({ vmid, node, type }) => ({ vmid, node, type })));
  }

  /** Undefined: the cluster has its quorum. Else why nothing can be changed. */
  async quorumProblem(): Promise<string | undefined> {
    const file = await this.read("/etc/pve/.members");
    const members = file.ok ? parseMembers(file.text) : undefined;
    if (members === undefined) return "Whether the cluster has its quorum can't be read";
    return members.quorate ? undefined : "The cluster has no quorum: nothing can be changed";
  }

  /** This node's place among those of its cluster, by name; the first of one when that can't be read. */
  async place(): Promise<{ index: number; of: number }> {
    const file = await this.read("/etc/pve/.members");
    const members = (file.ok ? parseMembers(file.text)?.members : undefined) ?? [];
    const names = members.map(({ node }) => String(node)).sort();
    const index = names.indexOf(this.ports.node);
    return index < 0 ? { index: 0, of: 1 } : { index, of: names.length };
  }

  async availableMemoryMib(): Promise<number | undefined> {
    const file = await this.read("/proc/meminfo");
    return file.ok ? availableMib(file.text) : undefined;
  }

  /** Memory that a running guest has for itself, MiB; 0 where nobody says. Of what the kernel could take back it holds nothing. */
  async heldMemoryMib({ type, vmid }: Pick<ListedGuest, "type" | "vmid">): Promise<number> {
    const group = type === "qemu" ? `qemu.slice/${vmid}.scope` : `lxc/${vmid}`;
    const file = await this.read(`/sys/fs/cgroup/${group}/memory.stat`);
    return file.ok ? heldMib(file.text) : 0;
  }

  async cpus(): Promise<number | undefined> {
    const file = await this.read("/proc/stat");
    return file.ok ? processorCount(file.text) : undefined;
  }

  /** The configuration file's text; undefined: there is none on this node. */
  async guestText(type: "qemu" | "lxc", vmid: number): Promise<Read<string | undefined>> {
    const file = await this.read(configPath(this.ports.node, type, vmid));
    if (file.ok) return good(file.text);
    return file.code === "ENOENT" ? good(undefined) : bad(`the configuration of ${vmid} can't be read: ${file.code}`);
  }

  /** All that ownership() asks about. Tag and marker are taken from the same text, so that they are of the same moment. */
  async seen(type: "qemu" | "lxc", vmid: number): Promise<Read<GuestSeen>> {
    const text = await this.guestText(type, vmid);
    if (!text.ok) return text;
    const listed = await this.guests();
    if (!listed.ok) return listed;
    const entry = listed.value.find((guest) => guest.vmid === vmid);
    const other = entry !== undefined && (entry.node !== this.ports.node || entry.type !== type);
    if (other && text.value === undefined) {
      const elsewhere = entry.node === this.ports.node ? `${entry.node}, as another kind of guest` : entry.node;
      return good({ vmid, text: undefined, elsewhere, makers: [] });
    }
    const makers = await this.makers(vmid);
    if (!makers.ok) return makers;
    const marks = text.value === undefined ? {} : marksIn(text.value);
    return good({ vmid, text: text.value, ...marks, makers: makers.value });
  }

  /** Tasks of this node that made something under that number, oldest first. A running one says `RUNNING`. */
  async makers(vmid: number): Promise<Read<GuestSeen["makers"][number][]>> {
    const answer = await this.ask("/tasks", { vmid, source: "all", limit: 500 });
    if (!answer.ok) return answer;
    const tasks = asObjects(answer.value).flatMap((task) => {
      const upid = parseUpid(task.upid);
      if (upid === undefined || !makes.test(upid.type)) return [];
      const running = !Number.isFinite(asNumber(task.endtime)) && (task.status === undefined || task.status === "RUNNING");
      return [{ upid: upid.upid as string, startedAt: upid.startedAt as number, running, user: upid.user }];
    });
    return good(tasks.sort((a, b) => a.startedAt - b.startedAt));
  }

  /** UPID of the newest task that ended this guest, or paused it, and began no earlier than `since`; undefined: none is known. */
  async disturber(vmid: number, since: number): Promise<string | undefined> {
    const answer = await this.ask("/tasks", { vmid, source: "all", limit: 500 });
    if (!answer.ok) return undefined;
    const tasks = asObjects(answer.value).flatMap((task) => parseUpid(task.upid) ?? []);
    // Clocks of UPIDs are whole seconds.
    const found = tasks.filter(({ type, startedAt }) => disturbs.test(type) && startedAt >= Math.floor(since / 1000) * 1000);
    return found.sort((a, b) => b.startedAt - a.startedAt)[0]?.upid;
  }

  async storage(storage: string): Promise<Read<StorageState>> {
    const answer = await this.ask(`/storage/${encodeURIComponent(storage)}/status`);
    if (!answer.ok) return bad(`The storage ${storage} does not answer: ${answer.problem}`);
    const status = asObject(answer.value);
    const availBytes = asNumber(status?.avail);
    if (!Number.isFinite(availBytes)) return bad(`The storage ${storage} does not say how much is free`);
    const content = splitList(asText(status?.content));
    return good({ storage, active: asFlag(status?.active), availBytes, content });
  }

  async backup({ storage, volid }: { storage: string; volid: string }, vmid: number): Promise<Read<BackupFound | undefined>> {
    const path = `/storage/${encodeURIComponent(storage)}/content`;
    const answer = await this.ask(path, { content: "backup", vmid });
    if (!answer.ok) return bad(`The storage ${storage} can't be listed: ${answer.problem}`);
    const entry = asObjects(answer.value).find((one) => one.volid === volid);
    if (entry === undefined) return good(undefined);
    const ctime = asNumber(entry.ctime);
    const size = asNumber(entry.size);
    return good({
      volid,
      at: Number.isFinite(ctime) ? ctime * 1000 : undefined,
      bytes: Number.isFinite(size) ? size : undefined,
      format: asText(entry.format),
    });
  }

  /** Volumes that carry a number although no guest has it: a later clean-up would take them along, so such a number isn't used. */
  async volumesOf(vmid: number): Promise<Read<string[]>> {
    const storages = await this.ask("/storage", { enabled: 1 });
    if (!storages.ok) return bad(`The storages can't be listed: ${storages.problem}`);
    const volumes: string[] = [];
    for (const storage of asObjects(storages.value)) {
      const id = asText(storage.storage);
      const content = splitList(asText(storage.content));
      if (id === undefined || !asFlag(storage.active) || !content.some((word) => word === "images" || word === "rootdir"))
        continue;
      const answer = await this.ask(`/storage/${encodeURIComponent(id)}/content`, { vmid });
      if (!answer.ok) return bad(`The storage ${id} can't be listed: ${answer.problem}`);
      const found = asObjects(answer.value).filter(({ content: kind }) => kind === "images" || kind === "rootdir");
      volumes.push(...found.map(({ volid }) => String(volid)));
    }
    return good(volumes);
  }

  /** Lines of a task's log behind the first `known` ones; empty also where nobody can say. */
  async logBehind(upid: string, known: number): Promise<LogLine[]> {
    const answer = await this.ask(`/tasks/${encodeURIComponent(upid)}/log`, { start: known, limit: 500 });
    if (!answer.ok) return [];
    return asObjects(answer.value).flatMap(({ n, t }) =>
      Number.isFinite(asNumber(n)) ? [{ n: asNumber(n), t: String(t ?? "") }] : [],
    );
  }

  /** Last lines of a task's log. */
  async taskLog(upid: string, lines = 60): Promise<string[]> {
    const answer = await this.ask(`/tasks/${encodeURIComponent(upid)}/log`, { start: 0, limit: 5000 });
    if (!answer.ok) return [];
    const texts = asObjects(answer.value).map(({ t }) => String(t ?? "").slice(0, 1000));
    return texts.filter((line) => !/^progress (?!100%)\d+%/.test(line)).slice(-lines);
  }
}

export const configPath = (node: string, type: "qemu" | "lxc", vmid: number) =>
  `/etc/pve/nodes/${node}/${type === "qemu" ? "qemu-server" : "lxc"}/${vmid}.conf`;

/**
 * Description and tags of a configuration file's main section. PVE keeps the description as `#` lines with `%`-escapes at the top
 * (qemu-server `PVE/QemuServer.pm` parse_vm_config, pve-container `PVE/LXC/Config.pm` parse_pct_config).
 */
function marksIn(text: string): { description?: string; tags?: string } {
  const section = text.split(/^\[/m)[0] ?? "";
  const comments = section
    .split("\n")
    .filter((line) => line.startsWith("#"))
    .map((line) => unescapeText(line.slice(1)));
  const tags = /^tags\s*:\s*(.*)$/m.exec(section)?.[1]?.trim();
  return {
    ...(comments.length > 0 && { description: comments.join("\n") }),
    ...(tags !== undefined && { tags }),
  };
}

/** `PVE::Tools::decode_text`; an escape that is none stays as it is. */
function unescapeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** First bytes of a file as they are; undefined: it can't be read. */
export async function readBytes(root: string, path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const file = await open(join(root, path), "r");
    try {
      const { size } = await file.stat();
      if (size > maxBytes) return undefined;
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
