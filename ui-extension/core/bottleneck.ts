import { plural, type Translate } from "./text.ts";
import { formatPercent, formatValue } from "./units.ts";

/** Mean times of one request over the last minutes, ms, and how many there were a second. Undefined: unknown; a time without requests has none. */
export type DiskLoad = {
  name: string;
  readMs: number | undefined;
  writeMs: number | undefined;
  perSecond: number | undefined;
  /** Share of time with a request under way; physical disks only. */
  busy?: number | undefined;
};

/** A guest beside the subject: what it reads and writes, bytes a second. */
export type Neighbour = { title: string; bytesPerSecond: number; storages: readonly string[] };

/** What was seen over the last minutes. Shares are 0 … 1; undefined is unknown, and never taken for good. */
export type Waits = {
  /** Share of its own cores (a guest), of all threads (a node). */
  cpu: number | undefined;
  memory: number | undefined;
  /** Time something had to wait (PSI, some). */
  pressure: { cpu: number | undefined; io: number | undefined; memory: number | undefined };
  /** Of the node. */
  iowait: number | undefined;
  steal: number | undefined;
  disks: readonly DiskLoad[];
};

export type BottleneckFacts = {
  kind: "guest" | "node";
  /** `VM 105`, `pve1`. */
  subject: string;
  own: Waits;
  /** Of the node a guest is on; undefined: a node itself, or one that may not be seen. */
  host: { name: string; waits: Waits } | undefined;
  /** Where its volumes are; empty: unknown. */
  storages: readonly string[];
  neighbours: readonly Neighbour[];
};

export type Finding = { resource: "disk" | "cpu" | "memory"; text: string; weight: number };
export type Bottleneck =
  | { state: "found"; findings: readonly Finding[] }
  /** All three were measured, and none is short. */
  | { state: "none" }
  /** `missing`: what isn't known, so that nobody can say. */
  | { state: "too-little"; missing: readonly string[] };

/** From here on somebody notices. PSI and shares 0 … 1, times in ms. */
const limits = {
  diskMs: 20,
  diskBusy: 0.9,
  /** Fewer requests a second tell nothing about a disk's speed. */
  perSecond: 1,
  pressure: 0.2,
  memoryPressure: 0.05,
  guestCpu: 0.95,
  nodeCpu: 0.9,
  iowait: 0.15,
  steal: 0.05,
  memory: 0.95,
  /** Of the I/O of all that share a storage, and at least so much, makes a neighbour noisy. */
  noisyShare: 0.1,
  noisyBytes: 1e6,
} as const;

/**
 * What holds a guest or a node up, the worst first, in words. Only what was measured speaks: with a resource unknown and nothing found, the
 * answer is that nobody can say.
 */
export function findBottleneck(facts: BottleneckFacts, t: Translate): Bottleneck {
  const findings = [...diskFindings(facts, t), ...cpuFindings(facts, t), ...memoryFindings(facts, t)];
  if (findings.length > 0) return { state: "found", findings: findings.sort((a, b) => b.weight - a.weight) };
  const missing = missingOf(facts.own, t);
  return missing.length > 0 ? { state: "too-little", missing } : { state: "none" };
}

function missingOf({ cpu, memory, pressure, disks }: Waits, t: Translate): string[] {
  const measuresDisks = disks.some(({ perSecond }) => perSecond !== undefined);
  return [
    cpu === undefined && pressure.cpu === undefined ? t("CPU") : "",
    memory === undefined && pressure.memory === undefined ? t("memory") : "",
    pressure.io === undefined && !measuresDisks ? t("disks") : "",
  ].filter((text) => text !== "");
}

const weightOf = (value: number, limit: number) => value / limit;
const over = (value: number | undefined, limit: number): value is number => value !== undefined && value >= limit;

type SlowDisk = { disk: DiskLoad; verb: "read" | "write"; ms: number };

/** The slowest request kind of each disk that has something to do. */
function slowDisks(disks: readonly DiskLoad[]): SlowDisk[] {
  return disks
    .filter(({ perSecond }) => over(perSecond, limits.perSecond))
    .flatMap((disk): SlowDisk[] => {
      const [read, write] = [disk.readMs ?? 0, disk.writeMs ?? 0];
      const slowest = Math.max(read, write);
      return slowest >= limits.diskMs ? [{ disk, verb: write >= read ? "write" : "read", ms: slowest }] : [];
    })
    .sort((a, b) => b.ms - a.ms);
}

function diskFindings(facts: BottleneckFacts, t: Translate): Finding[] {
  const [slowest] = slowDisks(facts.own.disks);
  const { subject, own } = facts;
  const noisy = noisyNeighbours(facts);
  const tail = [
    slowest === undefined ? "" : `${t(slowest.verb)} ${formatValue(slowest.ms, "milliseconds")}`,
    noisy.length === 0
      ? ""
      : plural(t, noisy.length, "{n} noisy neighbour ({names})", "{n} noisy neighbours ({names})", { names: namesOf(noisy) }),
  ].filter((text) => text !== "");
  if (slowest !== undefined) {
    const place = facts.kind === "node" ? slowest.disk.name : storageWords(facts.storages, slowest.disk.name, t);
    const text = t("{subject} waits on {place}: {details}", { subject, place, details: tail.join(", ") });
    return [{ resource: "disk", text, weight: weightOf(slowest.ms, limits.diskMs) }];
  }
  const busiest = own.disks.filter(({ busy }) => over(busy, limits.diskBusy)).sort((a, b) => (b.busy ?? 0) - (a.busy ?? 0))[0];
  if (busiest !== undefined) {
    const text = t("{disk} of {subject} is {share} busy: it takes no more", {
      subject,
      disk: busiest.name,
      share: formatPercent(busiest.busy ?? 0),
    });
    return [{ resource: "disk", text, weight: weightOf(busiest.busy ?? 0, limits.diskBusy) }];
  }
  const waited = own.pressure.io ?? own.iowait;
  const limit = own.pressure.io === undefined ? limits.iowait : limits.pressure;
  if (!over(waited, limit)) return [];
  const details = [t("{share} of the time something waited for I/O", { share: formatPercent(waited) }), ...tail].join(", ");
  const place = facts.kind === "node" ? t("its disks") : storageWords(facts.storages, t("its disks"), t);
  return [
    {
      resource: "disk",
      text: t("{subject} waits on {place}: {details}", { subject, place, details }),
      weight: weightOf(waited, limit),
    },
  ];
}

const storageWords = (storages: readonly string[], otherwise: string, t: Translate) =>
  storages.length === 0 ? otherwise : storages.join(t(" or "));

const namesOf = (neighbours: readonly Neighbour[]) =>
  [
    ...neighbours.slice(0, 3).map(({ title, bytesPerSecond }) => `${title} ${formatValue(bytesPerSecond, "bytesPerSecond")}`),
    ...(neighbours.length > 3 ? ["…"] : []),
  ].join(", ");

/** Guests on the same storages that make a good part of the I/O there, the loudest first; of a node: its loudest guests. */
function noisyNeighbours({ kind, storages, neighbours }: Pick<BottleneckFacts, "kind" | "storages" | "neighbours">): Neighbour[] {
  const sharing =
    kind === "node" ? neighbours : neighbours.filter((one) => one.storages.some((storage) => storages.includes(storage)));
  const all = sharing.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  return sharing
    .filter(({ bytesPerSecond }) => bytesPerSecond >= limits.noisyBytes && bytesPerSecond >= all * limits.noisyShare)
    .sort((a, b) => b.bytesPerSecond - a.bytesPerSecond);
}

function cpuFindings({ kind, subject, own, host }: BottleneckFacts, t: Translate): Finding[] {
  const found: Finding[] = [];
  const add = (value: number, limit: number, text: string) =>
    found.push({ resource: "cpu", text, weight: weightOf(value, limit) });
  const pressed = own.pressure.cpu;
  if (kind === "node") {
    if (over(own.cpu, limits.nodeCpu))
      add(
        own.cpu,
        limits.nodeCpu,
        t("{subject} has no CPU left: {share} of all threads in use", { subject, share: formatPercent(own.cpu) }),
      );
    else if (over(pressed, limits.pressure))
      add(
        pressed,
        limits.pressure,
        t("Tasks on {subject} wait for a CPU {share} of the time", { subject, share: formatPercent(pressed) }),
      );
    if (over(own.steal, limits.steal))
      add(
        own.steal,
        limits.steal,
        t("A hypervisor below takes {share} of {subject}'s CPU time", { subject, share: formatPercent(own.steal) }),
      );
    return found;
  }
  const hostFull = host !== undefined && over(host.waits.cpu, limits.nodeCpu);
  if (over(own.cpu, limits.guestCpu)) {
    add(
      own.cpu,
      limits.guestCpu,
      t("{subject} uses all of its own cores ({share}): give it more, or look at what runs inside", {
        subject,
        share: formatPercent(own.cpu),
      }),
    );
  } else if (over(pressed, limits.pressure)) {
    const share = formatPercent(pressed);
    const text = hostFull
      ? t("{subject} waits for a CPU {share} of the time: node {node} has none left", { subject, share, node: host.name })
      : t("{subject} waits for a CPU {share} of the time", { subject, share });
    add(pressed, limits.pressure, text);
  }
  return found;
}

function memoryFindings({ kind, subject, own, host }: BottleneckFacts, t: Translate): Finding[] {
  const pressed = own.pressure.memory;
  if (over(pressed, limits.memoryPressure)) {
    const text = t("{subject} waits for memory {share} of the time", { subject, share: formatPercent(pressed) });
    return [{ resource: "memory", text, weight: weightOf(pressed, limits.memoryPressure) }];
  }
  const hostPressed = host?.waits.pressure.memory;
  if (kind === "guest" && host !== undefined && over(hostPressed, limits.memoryPressure)) {
    const text = t("Node {node} is short of memory: what runs on it waits {share} of the time", {
      node: host.name,
      share: formatPercent(hostPressed),
    });
    return [{ resource: "memory", text, weight: weightOf(hostPressed, limits.memoryPressure) }];
  }
  // A node's memory that is full but presses nobody is doing its work.
  if (!over(own.memory, limits.memory) || (pressed !== undefined && kind === "node")) return [];
  const text = t("{subject} has {share} of its memory in use", { subject, share: formatPercent(own.memory) });
  return [{ resource: "memory", text, weight: weightOf(own.memory, limits.memory) }];
}
