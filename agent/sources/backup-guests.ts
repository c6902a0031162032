import { join } from "node:path";
import type { NodeName } from "#protocol/ids.ts";
import { asText, type JsonObject } from "../core/values.ts";
import type { Clock } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { VolidLedger } from "../volid-ledger.ts";
import { parseGuestConfig } from "./guest-config.ts";

/** Tries that may come too late before an archive is left alone, */
const lateMax = 2;
/** for so long: perhaps it was not the archive, but a PVE that hung. */
const leftAloneMs = 6 * 3_600_000;

type Known = { guest: readonly string[] };

function parseKnown({ guest }: JsonObject): Known | undefined {
  if (!Array.isArray(guest)) return undefined;
  return { guest: guest.flatMap((each) => asText(each) ?? []).slice(0, 64) };
}

/**
 * Which guest each backup is of: the identity in the configuration it holds. A number is given to another guest when the first is gone, and
 * then only this tells their backups apart. Each backup is looked into once in its life.
 */
export class BackupGuests {
  private readonly ledger: VolidLedger<Known>;
  /** Of this run of the agent: without a key, without a configuration, damaged. */
  private readonly hopeless = new Set<string>();
  /**
   * How often nothing came of it in time, and when last. PVE reads an archive whose configuration does not stand at its begin to the end, and its
   * daemon has three workers.
   */
  private readonly late = new Map<string, { times: number; atMs: number }>();

  constructor(
    stateDir: string,
    private readonly api: PveApi,
    private readonly clock: Clock,
  ) {
    this.ledger = new VolidLedger(join(stateDir, "backup-guests.jsonl"), parseKnown);
  }

  of(volid: string): readonly string[] | undefined {
    return this.ledger.of(volid)?.guest;
  }

  keepOnly(storage: string, volids: ReadonlySet<string>): void {
    this.ledger.keepOnly(storage, volids);
    for (const volid of this.late.keys()) if (volid.startsWith(`${storage}:`) && !volids.has(volid)) this.late.delete(volid);
    for (const volid of this.hopeless) if (volid.startsWith(`${storage}:`) && !volids.has(volid)) this.hopeless.delete(volid);
  }

  /** Looks into those nobody has looked into, the newest first, for so long. True: some are left. */
  async look(
    node: NodeName,
    backups: readonly { volid: string; type: "qemu" | "lxc"; at: number }[],
    forMs: number,
  ): Promise<boolean> {
    const untilMs = this.clock.monotonicMs() + forMs;
    const missing = backups.filter(
      ({ volid }) => this.of(volid) === undefined && !this.hopeless.has(volid) && !this.isLeftAlone(volid),
    );
    const lateness = ({ volid }: { volid: string }) => this.late.get(volid)?.times ?? 0;
    for (const { volid, type } of missing.sort((a, b) => lateness(a) - lateness(b) || b.at - a.at)) {
      if (this.clock.monotonicMs() >= untilMs) return true;
      const answer = await this.api.get(`/nodes/${node}/vzdump/extractconfig`, { volume: volid });
      const text = answer.ok ? asText(answer.data) : undefined;
      if (text !== undefined) this.ledger.add(volid, { guest: parseGuestConfig(text, type).identity });
      // A daemon that does not answer now will later.
      else if (answer.ok || answer.error.status !== 0) this.hopeless.add(volid);
      else return this.giveUpLate(volid, answer.error.reason);
    }
    return false;
  }

  private isLeftAlone(volid: string): boolean {
    const late = this.late.get(volid);
    return late !== undefined && late.times >= lateMax && this.clock.monotonicMs() - late.atMs < leftAloneMs;
  }

  /** The others come first from now on, and it seldom after some tries. True: something is left all the same. */
  private giveUpLate(volid: string, reason: string): true {
    if (!reason.startsWith("no answer within")) return true;
    const times = (this.late.get(volid)?.times ?? 0) + 1;
    this.late.set(volid, { times, atMs: this.clock.monotonicMs() });
    return true;
  }
}
