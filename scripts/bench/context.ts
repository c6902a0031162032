import type { BenchOptions } from "./options.ts";
import { type FoundPeer, findPeer, type PeerPackage } from "./peer-packages.ts";
import { type PeerName, PeerProcess } from "./peer-process.ts";
import type { Row } from "./row.ts";

export type Context = {
  options: BenchOptions;
  /** A folder of this run, deleted at its end. */
  scratch: string;
  say(text: string): void;
  peer(name: PeerPackage): FoundPeer;
  /** Called at the end of the run, whatever happened; what was started ends there at the latest. */
  onEnd(end: () => Promise<void>): void;
};

export type Measure = {
  title: string;
  /** Expected length. */
  minutes(options: BenchOptions): number;
  run(context: Context): Promise<Row[]>;
};

export const peerNames: readonly PeerName[] = ["prometheus", "victoria-metrics"];

/** Without `--peers` no peer is looked for. Each is looked for once. */
export function peerFinder(wanted: boolean): Context["peer"] {
  const found = new Map<PeerPackage, FoundPeer>();
  return (name) => {
    if (!wanted) return { ok: false, problem: "not asked for, run with --peers" };
    const known = found.get(name) ?? findPeer(name);
    found.set(name, known);
    return known;
  };
}

/** The peers that can be had, not started yet, each with its own folder below `dir`. */
export function availablePeers({ peer, onEnd }: Context, dir: string): PeerProcess[] {
  return peerNames.flatMap((name) => {
    const found = peer(name);
    if (!found.ok) return [];
    const process = new PeerProcess(name, found.path, `${dir}/${name}`);
    onEnd(() => process.kill());
    return [process];
  });
}

/** A peer's measured value, or why there is none. */
export function peerValue({ peer }: Context, name: PeerPackage, value: number | undefined) {
  const found = peer(name);
  if (!found.ok) return { peer: name, missing: found.problem };
  return value === undefined || !Number.isFinite(value) ? { peer: name, missing: "not measured" } : { peer: name, value };
}
