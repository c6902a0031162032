import type { NodeFacts } from "#protocol/inventory.ts";
import { type NodeStatus, parseNodeStatus } from "../pve/answer.ts";
import type { PveApi } from "../pve/api.ts";
import type { NowReader } from "./files.ts";
import { apiProblem } from "./node-api.ts";
import * as proc from "./proc.ts";
import { readTimezone } from "./timezone.ts";

export type HostFacts = Omit<NodeFacts, "zpools" | "sources">;

/** Kernel, processor and boot time from /proc; the version of PVE from its API, which is asked rarely and beside the samples. */
export class NodeFactsSource {
  problem: string | undefined;
  /** Grows when the API said something else. */
  version = 0;
  private status: NodeStatus = {};

  constructor(
    private readonly files: NowReader,
    private readonly api: PveApi,
    private readonly root: string,
  ) {}

  /** Asks the API. What was known stays on a problem. */
  async refresh(): Promise<void> {
    const result = await this.api.get("/nodes/localhost/status");
    if (result.ok) {
      const status = parseNodeStatus(result.data);
      if (JSON.stringify(status) !== JSON.stringify(this.status)) this.version++;
      this.status = status;
      this.problem = this.status.pveVersion === undefined ? "the node's status has no version" : undefined;
      return;
    }
    this.problem = apiProblem(result.error);
  }

  get pveVersion(): string | undefined {
    return this.status.pveVersion;
  }

  read(): HostFacts {
    const { cpus: cpusNow, bootedAtSec } = proc.parseProcStat(this.files.tryRead("/proc/stat") ?? "");
    const kernel =
      this.files.tryRead("/proc/sys/kernel/osrelease")?.trim() ||
      proc.parseKernelVersion(this.files.tryRead("/proc/version") ?? "") ||
      this.status.kernel;
    const cpuModel = proc.parseCpuModel(this.files.tryRead("/proc/cpuinfo") ?? "") ?? this.status.cpuModel;
    const cpus = cpusNow > 0 ? cpusNow : this.status.cpus;
    const { pveVersion } = this.status;
    const timezone = readTimezone(this.root, this.files);
    return {
      ...(pveVersion === undefined ? {} : { pveVersion }),
      ...(kernel === undefined ? {} : { kernel: kernel.slice(0, 200) }),
      ...(cpuModel === undefined ? {} : { cpuModel: cpuModel.slice(0, 200) }),
      ...(cpus === undefined ? {} : { cpus }),
      ...(timezone === undefined ? {} : { timezone }),
      ...(Number.isInteger(bootedAtSec) ? { bootedAt: bootedAtSec * 1000 } : {}),
    };
  }
}
