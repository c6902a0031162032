import { readdirSync } from "node:fs";
import { join } from "node:path";
import { diskKey, type NodeName, parseEntityKey } from "#protocol/ids.ts";
import type { DiskFacts, UnreadList } from "#protocol/inventory.ts";
import type { SampleTable } from "../core/table.ts";
import type { Clock, RunCommand } from "../ports.ts";
import type { NowReader } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import { counted, hourMs, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";
import { parseSmart, type SmartAnswer, type SmartReport } from "./smart-report.ts";

const ids = idsOf("disk");
const source = "smartctl";

/**
 * One command for each disk every half an hour, one disk after the other. What never told anything is asked again after a day: a RAID controller's
 * volume, say. A disk that told something once is not: it falls silent when it dies.
 */
const diskEveryMs = 30 * minuteMs;
const muteEveryMs = 24 * hourMs;

type Disk = {
  name: string;
  answer: SmartAnswer;
  /** Monotonic. */
  askedMs: number;
  /** The newest report, also while the disk sleeps or says nothing: which disk it is. */
  report?: SmartReport;
  /** smartctl finds nothing there, and never did. */
  mute?: true;
  /** Why smartctl could not ask it. */
  failed?: string;
};

const physicalDisk = /^(sd[a-z]+|hd[a-z]|nvme[0-9]+n[0-9]+)$/;
// What hypervisors and storage targets write into their disks' INQUIRY: there is no disk to ask behind these.
const virtualModel = /QEMU|VBOX|VMware|Virtual Disk|LIO-ORG|VIRTUAL-DISK|iSCSI|TrueNAS|COMSTAR/i;

/** Names of the node's disks that may know SMART, from /sys/block (no command). */
function listDisks(root: string, files: NowReader): string[] {
  let names: string[];
  try {
    names = readdirSync(join(root, "/sys/block"));
  } catch {
    return [];
  }
  const text = (name: string, file: string) => files.tryRead(`/sys/block/${name}/device/${file}`) ?? "";
  return names
    .filter((name) => physicalDisk.test(name) && !virtualModel.test(`${text(name, "vendor")} ${text(name, "model")}`))
    .sort()
    .slice(0, 256);
}

/** A disk's name in its key: its serial number, in letters a key may have. Undefined: nothing of it fits. */
export function diskId(report: SmartReport | undefined, name: string): string {
  const serial = report?.serial
    ?.trim()
    .replace(/[^A-Za-z0-9_.-]/g, "_")
    .replace(/^[.-]+/, "")
    .slice(0, 100);
  return serial === undefined || serial === "" ? name : serial;
}

/** Temperature, wear and errors of the node's disks, as they say themselves. Never wakes one. */
export class SmartSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 5 * minuteMs;
  readonly patienceMs = 2 * minuteMs;
  problem: string | undefined;
  readonly told = new Told<DiskFacts[]>([]);
  private disks = new Map<string, Disk>();

  constructor(
    private readonly root: string,
    private readonly files: NowReader,
    private readonly run: RunCommand,
    private readonly clock: Clock,
  ) {}

  get version(): number {
    return this.told.version;
  }

  get unread(): UnreadList | undefined {
    return this.told.known ? undefined : "disks";
  }

  /** The list of disks is looked at so often; smartctl runs for those that are due. */
  everyMs(): number | undefined {
    return minuteMs;
  }

  found(): string {
    const read = [...this.disks.values()].filter(({ answer }) => answer.state === "read").length;
    const asleep = [...this.disks.values()].filter(({ answer }) => answer.state === "asleep").length;
    if (this.disks.size === 0) return "no physical disks";
    const each = `each asked every ${diskEveryMs / minuteMs} min`;
    return `${counted(this.disks.size, "disk")}, ${read} with SMART${asleep === 0 ? "" : `, ${asleep} asleep`}, ${each}`;
  }

  async refresh(): Promise<void> {
    const names = listDisks(this.root, this.files);
    for (const name of this.disks.keys()) if (!names.includes(name)) this.disks.delete(name);
    for (const name of names) {
      const known = this.disks.get(name);
      if (known !== undefined && this.clock.monotonicMs() - known.askedMs < everyMsOf(known)) continue;
      if (!(await this.ask(name, known))) break;
    }
    const disks = [...this.disks.values()];
    this.problem = disks.find(({ failed }) => failed !== undefined)?.failed;
    this.told.set(distinct(disks).map(factsOf));
  }

  /** False: smartctl itself can't be run, so the other disks need not be tried. */
  private async ask(name: string, known: Disk | undefined): Promise<boolean> {
    const askedMs = this.clock.monotonicMs();
    const result = await this.run("smartctl", ["--json=c", "-n", "standby", "-a", `/dev/${name}`], { timeoutMs: 30_000 });
    const answer = result.ok ? parseSmart(result.stdout, result.code) : { state: "none" as const, problem: result.problem };
    const report = answer.state === "read" ? answer.report : known?.report;
    const mute = result.ok && answer.state === "none" && report === undefined;
    this.disks.set(name, {
      name,
      askedMs,
      answer,
      ...(report === undefined ? {} : { report }),
      ...(mute ? { mute } : {}),
      ...(result.ok ? {} : { failed: result.problem }),
    });
    return result.ok || !result.problem.endsWith("not installed");
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">): void {
    const nowMs = this.clock.monotonicMs();
    for (const disk of distinct([...this.disks.values()])) {
      if (disk.report === undefined || disk.answer.state === "none") continue;
      if (nowMs - disk.askedMs <= 2 * diskEveryMs) putDisk(table, node, disk, disk.report);
    }
  }
}

/** A disk once: namespaces of an NVMe disk and the paths to one of a SAN have names of their own and the same serial number. */
function distinct(disks: readonly Disk[]): Disk[] {
  const byId = new Map<string, Disk>();
  for (const disk of disks) {
    const id = diskId(disk.report, disk.name);
    const known = byId.get(id);
    if (known === undefined || (known.answer.state === "none" && disk.answer.state !== "none")) byId.set(id, disk);
  }
  return [...byId.values()];
}

const everyMsOf = ({ mute }: Disk) => (mute ? muteEveryMs : diskEveryMs);

function putDisk(table: SampleTable, node: NodeName, { name, answer }: Disk, report: SmartReport): void {
  const key = parseEntityKey(diskKey(node, diskId(report, name)));
  if (key === undefined) return;
  const entity = table.entity(key);
  const put = (metric: number, value: number) => table.put(entity, metric, source, value);
  // A sleeping disk counts nothing and cools down: only its temperature is unknown.
  if (answer.state === "read") put(ids.temperature, report.celsius);
  put(ids.wear, report.wear);
  put(ids.spare, report.spare);
  put(ids.reallocated, report.reallocated);
  put(ids.pending, report.pending);
  put(ids.media_errors, report.mediaErrors);
  put(ids.crc_errors, report.crcErrors);
  put(ids.power_on, report.powerOnSec);
  put(ids.healthy, report.healthy);
}

function factsOf({ name, answer, report }: Disk): DiskFacts {
  const sizeBytes = report?.sizeBytes;
  return {
    id: diskId(report, name),
    name,
    ...(report?.model === undefined ? {} : { model: report.model }),
    ...(report?.serial === undefined ? {} : { serial: report.serial }),
    ...(sizeBytes !== undefined && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 ? { sizeBytes } : {}),
    smart: answer.state,
  };
}
