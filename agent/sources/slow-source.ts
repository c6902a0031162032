import type { NodeName, Vmid } from "#protocol/ids.ts";
import type { UnreadList } from "#protocol/inventory.ts";
import type { Duty } from "#protocol/messages.ts";
import type { SampleTable } from "../core/table.ts";
import type { Company } from "./cluster-config.ts";
import type { ClusterFiles } from "./cluster-files.ts";
import type { LocalGuest } from "./pmxcfs.ts";

/** What a slow source may know of its node: the picture of the newest tick. */
export type NodeSight = {
  node: NodeName;
  guests: ReadonlyMap<Vmid, LocalGuest>;
  files: ClusterFiles;
  duties: ReadonlySet<Duty>;
  members: Company | undefined;
  /** Monotonic time at which /etc/pve was last read without a problem: how old `guests` and `files` are. */
  lookedMs: number;
  /** True when pvestatd said so of late; a guest nobody knows about does not run. */
  isRunning(vmid: Vmid): boolean;
  /** For how many seconds a VM has run whose balloon driver says what is free; undefined: it doesn't run, or has no such driver. */
  balloonUptime?(vmid: Vmid): number | undefined;
};

/**
 * A source that is read beside the samples, because it runs a command, asks a daemon or may hang. It lends its newest values to every tick until
 * they are too old. Whatever is called in a tick (`everyMs`, `put`) does not wait, and starts nothing.
 */
export interface SlowSource {
  /** As `--check` and the inventory call it. */
  readonly name: string;
  /** Newest problem, without times and counts; undefined: works. */
  readonly problem: string | undefined;
  /** Grows when what it tells the inventory changed. */
  readonly version: number;
  /** Values are lent no longer than this after the run that brought them. */
  readonly lendMs: number;
  /** False: the newest run brought nothing, and `put` gives what an earlier one did. */
  readonly brought?: boolean;
  /** The list of the inventory that it has not read whole since it began; undefined: it has, or it tells none. */
  readonly unread?: UnreadList | undefined;
  /** A run that takes longer is called hanging. */
  readonly patienceMs: number;
  /** Time between the starts of two runs; undefined: there is nothing of this kind here, so nothing is run. */
  everyMs(sight: NodeSight): number | undefined;
  /** Reads once. Reports its problem itself and does not throw. */
  refresh(sight: NodeSight): Promise<void>;
  put(table: SampleTable, sight: NodeSight, now: number): void;
  /** What it sees in every tick without a run: put whatever became of the runs. */
  putSeen?(table: SampleTable, sight: NodeSight): void;
  /** One line of what the newest run found, for `--check`. */
  found(): string;
}

export const minuteMs = 60_000;
export const hourMs = 3_600_000;

/** A fact for the inventory, and a number that grows when it changed. */
export class Told<T> {
  version = 0;
  private text = "";

  constructor(public value: T) {}

  /** False: nothing was ever set. */
  get known(): boolean {
    return this.text !== "";
  }

  set(value: T): void {
    const text = JSON.stringify(value) ?? "";
    if (text !== this.text) this.version++;
    this.text = text;
    this.value = value;
  }
}

/** `3 disks`, `1 disk`. */
export const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Name of an instance as the records take it: up to 128 printable ASCII characters; others are written as `%` and their UTF-8 bytes. */
export function instanceName(text: string): string {
  const escaped = text.replace(/[^\x20-\x7e]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
  return escaped.trimStart().slice(0, 128);
}
