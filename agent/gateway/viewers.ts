import { createHash } from "node:crypto";
import { assertionTimes, goneGuestPath, type Permission, type View, viewJson } from "#protocol/viewer.ts";
import { lookAtTicket, nameOfBytes } from "../core/gateway/ticket.ts";
import { makeView, parsePermissions, parseResources } from "../core/gateway/view.ts";
import type { ApiResult } from "../pve/answer.ts";
import type { UserApi } from "../pve/user-api.ts";

export type Told = { user: string; view: View; json: string; digest: string; viewAt: number };
/** `refused`: the ticket is none, or PVE does not take it. `busy`: too many strangers wait for their refusal. */
export type ViewerAnswer = { ok: true; told: Told } | { ok: false; why: "refused" | "busy" | "unavailable"; problem: string };

type Entry = { answer: Promise<ViewerAnswer>; settled: ViewerAnswer | undefined; untilMs: number };

/** Asked again after so long: below assertionTimes.viewMs, so that what is sent on is never too old. */
const freshMs = Math.floor(assertionTimes.viewMs * 0.66);
const ticketsMax = 2000;
const checksMax = 24;

export type ViewersPorts = {
  api: UserApi;
  clock: { now(): number; monotonicMs(): number };
  cluster(): string | undefined;
};

/**
 * What each ticket's user sees, as PVE says, kept for at most a minute by the ticket's hash: that is how long a disabled user goes on. A ticket
 * is held in memory only while its request lasts. Refusals are kept as long, since each costs PVE 3 s.
 */
export class Viewers {
  private readonly entries = new Map<string, Entry>();
  private readonly granted = new Map<string, { privileges: Promise<readonly string[] | undefined>; untilMs: number }>();
  private checks = 0;

  constructor(private readonly ports: ViewersPorts) {}

  /** Whether Proxmox VE would have to be asked about this ticket. */
  asks(ticket: string): boolean {
    const { clock } = this.ports;
    const known = this.entries.get(hashOf(ticket));
    return lookAtTicket(ticket, clock.now()).ok && (known === undefined || clock.monotonicMs() >= known.untilMs);
  }

  async see(ticket: string): Promise<ViewerAnswer> {
    const { clock } = this.ports;
    const look = lookAtTicket(ticket, clock.now());
    if (!look.ok) return { ok: false, why: "refused", problem: `the ticket is ${look.why}` };
    const hash = hashOf(ticket);
    const known = this.entries.get(hash);
    if (known !== undefined && clock.monotonicMs() < known.untilMs) return known.answer;
    if (this.checks >= checksMax) return { ok: false, why: "busy", problem: "too many sign-ins are being checked" };
    this.prune();
    const entry: Entry = {
      answer: this.ask(ticket, nameOfBytes(look.user)),
      settled: undefined,
      untilMs: clock.monotonicMs() + freshMs,
    };
    this.entries.set(hash, entry);
    entry.settled = await entry.answer;
    // No answer is no refusal: the next request asks again.
    if (!entry.settled.ok && entry.settled.why === "unavailable") this.entries.delete(hash);
    return entry.settled;
  }

  /** Of these, what PVE grants the ticket's user; undefined: PVE could not be asked. */
  async grants(ticket: string, needs: readonly Permission[]): Promise<Permission[] | undefined> {
    const paths = [...new Set(needs.map(({ path }) => path))];
    const held = await Promise.all(paths.map((path) => this.privilegesOn(ticket, path)));
    if (held.includes(undefined)) return undefined;
    return needs.filter(({ path, privilege }) => held[paths.indexOf(path)]?.includes(privilege));
  }

  forget(ticket: string): void {
    this.entries.delete(hashOf(ticket));
  }

  privilegesOn(ticket: string, path: string): Promise<readonly string[] | undefined> {
    const { api, clock } = this.ports;
    const key = `${hashOf(ticket)} ${path}`;
    const known = this.granted.get(key);
    if (known !== undefined && clock.monotonicMs() < known.untilMs) return known.privileges;
    const privileges = api.get(ticket, "/access/permissions", { path }).then((result) => {
      const listed = result.ok ? parsePermissions(result.data) : undefined;
      if (listed === undefined) this.granted.delete(key);
      return listed === undefined ? undefined : (listed.get(path) ?? []);
    });
    if (this.granted.size >= ticketsMax) this.granted.clear();
    this.granted.set(key, { privileges, untilMs: clock.monotonicMs() + freshMs });
    return privileges;
  }

  private async ask(ticket: string, user: string): Promise<ViewerAnswer> {
    const cluster = this.ports.cluster();
    if (cluster === undefined) return unavailable("this node does not know its cluster yet: is pmxcfs mounted?");
    this.checks++;
    try {
      return await this.tell(ticket, user, cluster);
    } finally {
      this.checks--;
    }
  }

  /** The permissions first: a ticket that PVE refuses is asked about once. */
  private async tell(ticket: string, user: string, cluster: string): Promise<ViewerAnswer> {
    const { api, clock } = this.ports;
    const viewAt = clock.now();
    const first = await api.get(ticket, "/access/permissions");
    if (!first.ok) return refusalOf(first);
    const [second, goneGuests] = await Promise.all([
      api.get(ticket, "/cluster/resources"),
      this.privilegesOn(ticket, goneGuestPath).then((held) => held?.includes("VM.Audit") ?? false),
    ]);
    if (!second.ok) return refusalOf(second);
    const [permissions, resources] = [parsePermissions(first.data), parseResources(second.data)];
    if (permissions === undefined || resources === undefined) return unavailable("Proxmox VE's answer was not understood");
    const unsure = resources.nodes.filter((node) => !resources.figured.includes(node));
    const asked = await Promise.all(unsure.map((node) => this.privilegesOn(ticket, `/nodes/${node}`)));
    const audited = unsure.filter((_, index) => asked[index]?.includes("Sys.Audit"));
    const view = makeView({ cluster, user, resources, permissions, audited, goneGuests });
    const json = viewJson(view);
    return { ok: true, told: { user, view, json, digest: createHash("sha256").update(json).digest("hex"), viewAt } };
  }

  private prune(): void {
    const now = this.ports.clock.monotonicMs();
    for (const [hash, { untilMs }] of this.entries)
      if (untilMs <= now || this.entries.size >= ticketsMax) this.entries.delete(hash);
    for (const [key, { untilMs }] of this.granted) if (untilMs <= now) this.granted.delete(key);
  }
}

const unavailable = (problem: string): ViewerAnswer => ({ ok: false, why: "unavailable", problem });

function refusalOf(result: Extract<ApiResult, { ok: false }>): ViewerAnswer {
  const { status, reason } = result.error;
  if (status === 401) return { ok: false, why: "refused", problem: "Proxmox VE does not take the ticket" };
  return unavailable(`Proxmox VE's API did not answer: ${reason}`);
}

const hashOf = (ticket: string) => createHash("sha256").update(ticket).digest("base64");
