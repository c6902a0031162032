import type { Schedule } from "./clock.ts";
import type { CommandResult } from "./control-server.ts";
import type { Copies } from "./copies.ts";
import { parseGuestFile } from "./guest-file.ts";
import type { Guest, World } from "./world.ts";

/** How restored guests behave once they run; a test sets it by vmid, 0: of any. */
export type Behaviour = {
  /** From the start to its first sign of life, ms of lab time; undefined: it hangs and never comes up. */
  bootMs: number | undefined;
  /** Default: the backed-up guest's. `dead`: installed, and never answers. */
  agent: "none" | "dead" | "answers" | undefined;
  /** False: no DHCP, no address of its own, nothing is heard of it. */
  network: boolean;
  /** Ports that are served inside, by number. */
  services: ReadonlyMap<number, Service>;
  screenshot: boolean;
  /** Units and processes that don't run. */
  down: ReadonlySet<string>;
  /** A test's own answers to commands inside; undefined: the usual one. */
  answers(argv: readonly string[]): CommandResult | undefined;
};
export type Service = { kind: "http" | "https" | "tcp"; status?: number; text?: string };

const usual: Behaviour = {
  bootMs: 18_000,
  agent: undefined,
  network: true,
  services: new Map<number, Service>([
    [22, { kind: "tcp", text: "SSH-2.0-OpenSSH_10.0p2 Debian-7\r\n" }],
    [80, { kind: "http", status: 200, text: "<html><title>It works</title></html>" }],
  ]),
  screenshot: true,
  down: new Set(),
  answers: () => undefined,
};

/** Restored guests at run: whether they are up, what their agents say, who answers on which port. */
export class GuestRuntime {
  private readonly behaviours = new Map<number, Partial<Behaviour>>();
  private readonly startedAt = new WeakMap<Guest, number>();
  private readonly listeners: ((guest: Guest, running: boolean) => void)[] = [];

  constructor(
    private readonly world: World,
    private readonly schedule: Schedule,
    private readonly copies: Copies,
  ) {
    world.agentOf = (guest, at) => (copies.all.has(guest) ? this.agent(guest, at) : guest.life.spec.agent);
  }

  /** From now on; what isn't named stays. */
  behave(vmid: number, behaviour: Partial<Behaviour>): void {
    this.behaviours.set(vmid, { ...this.behaviours.get(vmid), ...behaviour });
  }

  of(vmid: number): Behaviour {
    return { ...usual, ...this.behaviours.get(0), ...this.behaviours.get(vmid) };
  }

  onPower(listener: (guest: Guest, running: boolean) => void): void {
    this.listeners.push(listener);
  }

  started(guest: Guest): void {
    this.startedAt.set(guest, this.schedule.now());
    for (const listener of this.listeners) listener(guest, true);
  }

  stopped(guest: Guest): void {
    this.startedAt.delete(guest);
    for (const listener of this.listeners) listener(guest, false);
  }

  private runs(guest: Guest, at: number): boolean {
    return this.world.reading(guest, at) !== undefined;
  }

  /** It runs and its system is up. A container's is within seconds. A VM whose disk is not the backup's doesn't boot. */
  isUp(guest: Guest, at: number): boolean {
    const started = this.startedAt.get(guest);
    const { type, vmid } = guest.life.spec;
    const { bootMs } = this.of(vmid);
    if (started === undefined || bootMs === undefined || !this.runs(guest, at)) return false;
    if (this.copies.referenced(guest).length === 0) return false;
    if (this.copies.referenced(guest).some(({ damage }) => damage === "incomplete")) return false;
    return at - started >= (type === "lxc" ? Math.min(bootMs, 2000) : bootMs);
  }

  private agent(guest: Guest, at: number): "none" | "dead" | "answers" {
    const { vmid, agent } = guest.life.spec;
    if (agent === "none") return "none";
    const wanted = this.of(vmid).agent ?? this.copies.all.get(guest)?.archive?.agent ?? "answers";
    return wanted === "answers" && this.isUp(guest, at) ? "answers" : "dead";
  }

  /**
   * Address that the guest has in its sandbox, once it is up and one of its links is, or that its firmware asked for. Undefined: nothing is heard of
   * it.
   */
  addressOf(bridge: string, macs: readonly string[], at: number): string | undefined {
    const guest = this.at(macs, (one) => this.isReachable(one, bridge, at) || this.bootsByNetwork(one, bridge, at));
    return guest === undefined ? undefined : `10.99.0.${2 + (guest.life.spec.vmid % 250)}`;
  }

  /** What answers there; undefined: nothing listens, or nobody is there. */
  connect(bridge: string, address: string, port: number, at: number): Service | undefined {
    const guest = [...this.copies.all.keys()].find(
      (one) => this.isReachable(one, bridge, at) && `10.99.0.${2 + (one.life.spec.vmid % 250)}` === address,
    );
    return guest === undefined ? undefined : this.of(guest.life.spec.vmid).services.get(port);
  }

  private at(macs: readonly string[], isHeard: (guest: Guest) => boolean): Guest | undefined {
    const wanted = new Set(macs.map((mac) => mac.toUpperCase()));
    return [...this.copies.all.keys()].find(
      (guest) => isHeard(guest) && this.copies.nets(guest).some(({ mac }) => mac !== undefined && wanted.has(mac.toUpperCase())),
    );
  }

  /** Its disk holds nothing that boots, and its network comes next; PVE's default order ends with it, too. Of QEMU's firmware, never recorded. */
  private bootsByNetwork(guest: Guest, bridge: string, at: number): boolean {
    if (guest.life.deletedAt !== undefined || guest.life.spec.type !== "qemu") return false;
    if (this.isUp(guest, at) || !this.runs(guest, at)) return false;
    const boot = parseGuestFile(guest.file?.text ?? "").values.get("boot") ?? "legacy=cdn";
    return /\bnet\d|(^|legacy=)[acd]*n/.test(boot) && this.copies.nets(guest).some((net) => net.bridge === bridge && net.up);
  }

  private isReachable(guest: Guest, bridge: string, at: number): boolean {
    if (guest.life.deletedAt !== undefined || !this.isUp(guest, at) || !this.of(guest.life.spec.vmid).network) return false;
    return this.copies.nets(guest).some((net) => net.bridge === bridge && net.up);
  }
}
