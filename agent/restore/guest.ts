import { join } from "node:path";
import { changeCause, startCause, unansweredCause } from "../core/restore/node-fault.ts";
import { type Intent, type Ownership, ownership, whyNotOurs } from "../core/restore/ours.ts";
import type { ApiParams } from "../pve/api.ts";
import { readText } from "../sources/files.ts";
import { rewriteContainer } from "./container-file.ts";
import { type NodeView, type Read, tellError } from "./node-view.ts";
import type { RestorePorts } from "./ports.ts";

/** What became of a change. `upid`: the task it began. `cause`: what of the node was in its way; absent: it may be the backup's fault. */
export type Done =
  | { ok: true; data: unknown; upid?: string; log: string[] }
  | { ok: false; problem: string; cause?: string; upid?: string; log: string[] };

type Notes = {
  note(entry: { entry: "call"; call: string } | { entry: "answer"; ok: boolean; text: string; upid?: string }): void;
};

const removeMs = 30_000;

/**
 * The guest that a test made, and the only way to change it: each change reads anew whether the guest is ours, writes down what it will do, does it,
 * and writes down what came of it. Nothing here can address another guest.
 */
export class TestGuest {
  constructor(
    private readonly ports: Pick<RestorePorts, "api" | "run" | "root" | "node" | "limits">,
    private readonly view: NodeView,
    private readonly notes: Notes,
    readonly intent: Intent & { type: "qemu" | "lxc" },
  ) {}

  get vmid(): number {
    return this.intent.vmid;
  }

  get type(): "qemu" | "lxc" {
    return this.intent.type;
  }

  /** Read now. A problem: nobody can say, so it is not touched. */
  async ownership(): Promise<Read<Ownership>> {
    const seen = await this.view.seen(this.type, this.vmid);
    if (!seen.ok) return seen;
    return { ok: true, value: ownership(seen.value, this.intent, this.ports.limits.vmids) };
  }

  /** The configuration as PVE tells it. */
  async config(): Promise<Read<Readonly<Record<string, unknown>>>> {
    const answer = await this.view.ask(this.path("/config"));
    if (!answer.ok) return answer;
    const { value } = answer;
    if (typeof value !== "object" || value === null) return { ok: false, problem: "its configuration was not understood" };
    return { ok: true, value: value as Readonly<Record<string, unknown>> };
  }

  async isRunning(): Promise<Read<boolean>> {
    const answer = await this.view.ask(this.path("/status/current"));
    if (!answer.ok) return answer;
    const { value } = answer;
    const status = typeof value === "object" && value !== null && "status" in value ? value.status : undefined;
    if (status !== "running" && status !== "stopped") return { ok: false, problem: "its state was not understood" };
    return { ok: true, value: status === "running" };
  }

  configure(params: Readonly<Record<string, string>>): Promise<Done> {
    return this.change("PUT", "/config", params);
  }

  start(timeoutMs: number, signal: AbortSignal): Promise<Done> {
    return this.change("POST", "/status/start", {}, { timeoutMs, signal });
  }

  stop(timeoutMs: number): Promise<Done> {
    return this.change("POST", "/status/stop", this.type === "qemu" ? { skiplock: "1" } : {}, { timeoutMs });
  }

  /** With all its volumes, also those that its configuration does not name. Never of a running one: PVE refuses. */
  destroy(timeoutMs: number): Promise<Done> {
    const params = { purge: "1", "destroy-unreferenced-disks": "1", ...(this.type === "qemu" && { skiplock: "1" }) };
    return this.change("DELETE", "", params, { timeoutMs });
  }

  /** A container's file as a whole, under PVE's lock, if it still reads `before`. */
  async rewrite(before: string, after: string): Promise<Done> {
    const refused = await this.refusal();
    if (refused !== undefined) return { ok: false, problem: refused, log: [] };
    this.notes.note({ entry: "call", call: `rewrite the configuration of ${this.vmid}` });
    const problem = await rewriteContainer(this.ports, this.vmid, before, after);
    this.notes.note({ entry: "answer", ok: problem === undefined, text: problem ?? "" });
    return problem === undefined ? { ok: true, data: undefined, log: [] } : { ok: false, problem, log: [] };
  }

  /** The rules of the backed-up guest, which a restore copies: they would count for the test guest. */
  async removeFirewallFile(): Promise<Done> {
    const path = `/etc/pve/firewall/${this.vmid}.fw`;
    const file = await readText(this.ports.root)(path, 1);
    if (!file.ok && file.code === "ENOENT") return { ok: true, data: undefined, log: [] };
    const refused = await this.refusal();
    if (refused !== undefined) return { ok: false, problem: refused, log: [] };
    this.notes.note({ entry: "call", call: `remove ${path}` });
    const problem = await this.removed(path);
    this.notes.note({ entry: "answer", ok: problem === undefined, text: problem ?? "" });
    return problem === undefined ? { ok: true, data: undefined, log: [] } : { ok: false, problem, log: [] };
  }

  private async change(
    method: "PUT" | "POST" | "DELETE",
    below: string,
    params: ApiParams,
    task?: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Done> {
    const refused = await this.refusal();
    if (refused !== undefined) return { ok: false, problem: refused, log: [] };
    const path = `/nodes/${this.ports.node}${this.path(below)}`;
    this.notes.note({ entry: "call", call: `${method} ${path} ${JSON.stringify(params)}`.slice(0, 3900) });
    const { api } = this.ports;
    const send = { PUT: api.put, POST: api.post, DELETE: api.delete }[method];
    const answer = await send(path, params);
    const upid = answer.ok && typeof answer.data === "string" && answer.data.startsWith("UPID:") ? answer.data : undefined;
    const text = answer.ok ? "" : tellError(answer.error);
    this.notes.note({ entry: "answer", ok: answer.ok, text, ...(upid !== undefined && { upid }) });
    if (!answer.ok) {
      const cause = answer.error.status === 0 ? unansweredCause : changeCause(text);
      return { ok: false, problem: text, ...(cause !== undefined && { cause }), log: [] };
    }
    if (task === undefined || upid === undefined) return { ok: true, data: answer.data, log: [] };
    return this.awaited(upid, task);
  }

  private async awaited(upid: string, task: { timeoutMs: number; signal?: AbortSignal }): Promise<Done> {
    const ended = await this.ports.api.awaitTask(upid, task);
    const log = await this.view.taskLog(upid);
    if (!ended.ok) return { ok: false, problem: tellError(ended.error), cause: unansweredCause, upid, log };
    const status = String(ended.data);
    if (commandEnded(status)) return { ok: true, data: status, upid, log };
    const cause = startCause(status, log);
    return { ok: false, problem: status, ...(cause !== undefined && { cause }), upid, log };
  }

  /** Undefined: it is ours, at this very moment. */
  private async refusal(): Promise<string | undefined> {
    const owned = await this.ownership();
    if (!owned.ok) return `Whether ${this.vmid} is ours can't be told: ${owned.problem}`;
    if (owned.value.ours) return undefined;
    return `${this.vmid} is not touched: ${whyNotOurs[owned.value.why]}`;
  }

  /** By a process that can be given up: a pmxcfs that hangs keeps whoever asks it. */
  private async removed(path: string): Promise<string | undefined> {
    const result = await this.ports.run("rm", ["-f", "--", join(this.ports.root, path)], { timeoutMs: removeMs });
    if (!result.ok) return result.problem;
    return result.code === 0 ? undefined : result.stderr.trim().slice(0, 300) || `exit code ${result.code}`;
  }

  private path(below: string): string {
    return `/${this.type}/${this.vmid}${below}`;
  }
}

/** `OK` and `WARNINGS: n` say that the command ended, and nothing about bytes. pve-common `PVE/Tools.pm` upid_status_is_error. */
export const commandEnded = (status: string) => status === "OK" || /^WARNINGS: \d+$/.test(status);
