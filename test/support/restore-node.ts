import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RangeStranger } from "#protocol/inventory.ts";
import type { Message } from "#protocol/messages.ts";
import type { OperationResult } from "#protocol/operations.ts";
import type { CheckRecord, RestoreReport, RestoreStep, RestoreTest, StepRecord } from "#protocol/restore.ts";
import type { PveApi } from "../../agent/pve/api.ts";
import { createPveApi } from "../../agent/pve/api.ts";
import { createRunCommand } from "../../agent/pve/run-command.ts";
import { Operations } from "../../agent/restore/operations.ts";
import type { CheckIntegrity, RestoreLimits, RestorePorts, RunCheck, Sandboxes } from "../../agent/restore/ports.ts";
import { runCommand } from "../lab/commands.ts";
import type { Lab } from "../lab/lab.ts";
import { type FakeClock, settle } from "./fake-clock.ts";
import { startTestLab, type TestScope } from "./lab-client.ts";

/** The usual limits of a node, with numbers that the lab's guests don't have. */
const testLimits: RestoreLimits = {
  enabled: true,
  vmids: { first: 990_000, last: 990_009 },
  storages: [],
  memoryMib: 4096,
  reserveMib: 512,
  parallel: 1,
  keepSec: 14_400,
  pool: undefined,
  bwlimitKib: undefined,
};

/** Sandboxes without networks: bridges that the lab knows as isolated, and addresses that it knows of its guests. */
class LabSandboxes implements Sandboxes {
  readonly open_ = new Map<string, Set<string>>();
  problem: string | undefined;
  lacks: string | undefined;
  /** As after an agent under systemd: only the bridges are left. */
  broken = false;

  constructor(
    private readonly lab: Lab,
    private readonly clock: FakeClock,
  ) {}

  missing(): Promise<string | undefined> {
    return Promise.resolve(this.lacks);
  }

  async open(name: string, operation: string) {
    if (this.problem !== undefined) return { ok: false as const, problem: this.problem };
    const known = this.open_.get(name);
    const users = known ?? new Set<string>();
    const how = known === undefined ? ("made" as const) : this.broken ? ("rebuilt" as const) : ("joined" as const);
    this.broken = false;
    this.open_.set(name, users.add(operation));
    const bridge = `pvt${name}`;
    this.lab.restores.addIsolatedBridge(bridge);
    return { ok: true as const, sandbox: { name, bridge, netns: `proven-${name}` }, how };
  }

  async close(name: string, operation: string): Promise<string | undefined> {
    const users = this.open_.get(name);
    users?.delete(operation);
    if (users?.size === 0) this.remove(name);
    return undefined;
  }

  part(..._: Parameters<Sandboxes["part"]>): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  async addressOf(
    { bridge }: { bridge: string },
    macs: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const untilMs = this.clock.monotonicMs() + timeoutMs;
    for (;;) {
      const address = this.lab.restores.runtime.addressOf(bridge, macs, this.lab.schedule.now());
      if (address !== undefined || signal.aborted || this.clock.monotonicMs() >= untilMs) return address;
      await this.clock.sleep(1000, signal);
    }
  }

  async reap(inUse: ReadonlySet<string>): Promise<string[]> {
    for (const name of [...this.open_.keys()]) if (!inUse.has(name)) this.remove(name);
    return [];
  }

  private remove(name: string): void {
    this.open_.delete(name);
    this.lab.restores.removeIsolatedBridge(`pvt${name}`);
  }
}

/** What the checks see of the lab's guests: services by port, the agent by its ping. */
function labCheck(lab: Lab): RunCheck {
  return async (check, target): Promise<CheckRecord> => {
    const { name, kind } = check;
    const record = (state: CheckRecord["state"], reason: string) => ({ name, kind, state, reason });
    if (kind === "agent-ping") return record(target.inside ? "passed" : "skipped", target.inside ? "pong" : "no agent");
    if (kind !== "tcp" && kind !== "http") return record("skipped", "not in this lab");
    if (target.address === undefined || target.sandbox === undefined) return record("skipped", "It has no address");
    const port = check.port ?? 80;
    const service = lab.restores.runtime.connect(target.sandbox.bridge, target.address, port, lab.schedule.now());
    if (service === undefined) return record("failed", `nothing listens on ${port}`);
    if (kind === "tcp") return record("passed", "connected");
    const found = check.text === undefined || (service.text ?? "").includes(check.text);
    if (service.status !== (check.status ?? 200)) return record("failed", `status ${service.status}`);
    return record(found ? "passed" : "failed", found ? "status and text" : `the text "${check.text}" is not there`);
  };
}

/** What reading the lab's archives proves: a compressor finds all damage, plain VMA has no checksum over its data. */
function labIntegrity(lab: Lab): CheckIntegrity {
  return async ({ volid }, onProgress) => {
    onProgress(1);
    const archive = lab.restores.archives.find(volid);
    if (archive === undefined) return { state: "unreadable", reason: "it is not there", log: [] };
    if (archive.format.startsWith("pbs")) {
      const bad = archive.damage !== undefined;
      return { state: bad ? "damaged" : "verified", by: "pbs-verify", reason: bad ? "verification failed" : "verified", log: [] };
    }
    if (/\.(zst|gz|lzo)$/.test(archive.format)) {
      if (archive.damage === undefined)
        return { state: "verified", by: "compressor-checksum", reason: "read to its end", log: [] };
      return { state: "damaged", reason: "Decoding error (36) : Restored data doesn't match checksum", log: [] };
    }
    return { state: "not-checked", reason: "a plain archive has no checksum over its data", log: [] };
  };
}

/** Of the first lab, for the next ones: making keys takes longer than a test. */
let keys: string | undefined;

/** Where thousands of small files that must be on the disk cost no disk's time. */
export function fastFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

export type RestoreNode = Awaited<ReturnType<typeof startRestoreNode>>;

/** A node of a small lab with the agent's operations on it, real files and API; `drive` lets time pass until a promise is there. */
export async function startRestoreNode(
  context: TestScope,
  options: { limits?: Partial<RestoreLimits>; node?: string; nodes?: number } = {},
) {
  const labDir = mkdtempSync(join(fastFolder(), "proven-lab-"));
  context.after(() => rmSync(labDir, { recursive: true, force: true }));
  if (keys !== undefined) writeFileSync(join(labDir, "secrets.json"), keys);
  const { lab, clock } = await startTestLab(context, {
    dir: labDir,
    nodes: options.nodes ?? 1,
    guests: 6,
    metricsGenerations: 1,
  });
  keys ??= readFileSync(join(labDir, "secrets.json"), "utf8");
  const node = options.node ?? "pve1";
  const root = lab.tree.root(node);
  const dir = mkdtempSync(join(fastFolder(), "proven-operations-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  let inFlight = 0;
  const counted = async <T>(promise: Promise<T>): Promise<T> => {
    inFlight++;
    try {
      return await promise;
    } finally {
      inFlight--;
    }
  };
  const real = createPveApi({ baseUrl: `http://127.0.0.1:${lab.apiPorts.get(node)}`, root, clock });
  context.after(() => real.close());
  const api: PveApi = {
    ...real,
    get: (path, params) => counted(real.get(path, params)),
    post: (path, params) => counted(real.post(path, params)),
    put: (path, params) => counted(real.put(path, params)),
    delete: (path, params) => counted(real.delete(path, params)),
  };
  const tools = createRunCommand({ path: "/usr/bin:/bin" });
  const sandboxes = new LabSandboxes(lab, clock);
  const logs: string[] = [];
  const ports: RestorePorts = {
    node,
    root,
    api,
    run: async (file, args, runOptions) => {
      if (file === "flock" || file === "rm") return counted(tools(file, args, runOptions));
      return { ok: true, ...(await counted(runCommand(lab.restores, lab.world.node(node), file, args))) };
    },
    sandboxes,
    check: labCheck(lab),
    integrity: labIntegrity(lab),
    verifyPbs: async ({ storage }) => ({ state: "unreadable", reason: `no Backup Server behind ${storage}`, log: [] }),
    limits: { ...testLimits, ...options.limits },
    clock,
    log: (_, message, fields) => {
      logs.push(`${message} ${JSON.stringify(fields ?? {})}`);
    },
  };
  /** Lets the lab's time pass until it is there; what waits for a socket gets its turns first. */
  const drive = async <T>(promise: Promise<T>, atMostMs = 4 * 3_600_000): Promise<T> => {
    let over = false;
    const stop = () => {
      over = true;
    };
    promise.then(stop, stop);
    for (let passed = 0; !over; passed += 200) {
      if (passed > atMostMs) throw new Error(`not over after ${atMostMs} ms; ${logs.slice(-5).join(" | ")}`);
      for (let turn = 0; turn < 60 && inFlight > 0 && !over; turn++) await settle(1);
      while (!over && waitsForDisk()) await settle(1);
      await settle(2);
      if (!over) await clock.advance(200);
    }
    return promise;
  };
  return { lab, clock, node, root, dir, ports, sandboxes, logs, drive };
}

let lastId = 0;
/** The machine's own time must not count as the lab's: a file that is read, a program that runs. */
const waitsForDisk = () => process.getActiveResourcesInfo().some((name) => name.startsWith("FSReq") || name === "ProcessWrap");

/** A new operation's id each time. */
export const newId = () => `00000000-0000-4000-8000-${String(++lastId).padStart(12, "0")}`;

/** One agent's operations on that node; what it says to the hub is kept. */
export function startOperations(node: RestoreNode, ports: Partial<RestorePorts> = {}, process = "1:1:boot") {
  const said: Message[] = [];
  const problems: string[][] = [];
  const strangers: (readonly RangeStranger[] | undefined)[] = [];
  const steps = new Map<string, () => void>();
  let wake: () => void = () => undefined;
  let isUnheard = false;
  const operations = new Operations({
    restore: { ...node.ports, ...ports },
    dir: node.dir,
    send: (message) => {
      if (!isUnheard) said.push(message);
      if (message.type === "op.progress" && message.body.step?.state === "running") {
        const action = steps.get(String(message.body.step.step));
        steps.delete(String(message.body.step.step));
        action?.();
      }
      wake();
    },
    onProblems: (list, others) => {
      problems.push([...list]);
      strangers.push(others);
    },
    process,
  });
  const start = (id: string, operation: Record<string, unknown>, expiresAt = node.clock.now() + 3_600_000) =>
    operations.hear({ type: "op.start", body: { id, operation, expiresAt, actor: "root@pam", reason: "test" } });
  const resultOf = (id: string): OperationResult | undefined =>
    said
      .flatMap((message) =>
        message.type === "op.result" && message.body.id === id ? [message.body.result as OperationResult] : [],
      )
      .at(-1);
  /** Resolves when the result was said. */
  const result = (id: string) =>
    new Promise<OperationResult>((resolve) => {
      const look = () => {
        const found = resultOf(id);
        if (found !== undefined) resolve(found);
      };
      wake = look;
      look();
    });
  const report = async (id: string): Promise<RestoreReport> => {
    const found = await node.drive(result(id));
    if (found.kind !== "restore-test") throw new Error(`not a report: ${JSON.stringify(found)}`);
    return found.report;
  };
  /** Once, in the moment in which that step begins. */
  const onStep = (step: RestoreStep, action: () => void) => {
    steps.set(step, action);
  };
  /** The link is down, or its hub: what is said now reaches nobody. */
  const unheard = (now: boolean) => {
    isUnheard = now;
  };
  return { operations, said, problems, strangers, start, result, resultOf, report, onStep, unheard };
}

/** States by step, of those that ran. */
export const statesOf = (steps: readonly StepRecord[]) =>
  Object.fromEntries(steps.filter(({ reason }) => reason !== "The test ended before it").map(({ step, state }) => [step, state]));

export const vmConfig = `agent: enabled=1
args: -device evil
boot: order=scsi0
cores: 1
hookscript: local:snippets/h.sh
hostpci0: 0000:01:00.0
memory: 1024
name: web
net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1
net1: e1000=BC:24:11:00:00:02,bridge=vmbr0
onboot: 1
ostype: l26
protection: 1
scsi0: local-lvm:vm-100-disk-0,size=4G
scsihw: virtio-scsi-single
serial0: /dev/ttyS0
smbios1: uuid=5bbf1a88-9554-4224-ae20-29a5fdc0b5b7
startup: order=1
vmgenid: a78f75e6-b1be-4dc5-90f0-6702409ee932
`;

export const ctConfig = `arch: amd64
cores: 1
features: nesting=1
hookscript: local:snippets/h.sh
hostname: dns
memory: 256
mp0: local-lvm:vm-101-disk-1,mp=/data,backup=1,size=1G
mp1: /srv/bindme,mp=/host
net0: name=eth0,bridge=vmbr0,gw=192.168.50.1,hwaddr=BC:24:11:00:00:03,ip=192.168.50.20/24,type=veth
onboot: 1
ostype: debian
protection: 1
rootfs: local-lvm:vm-101-disk-0,size=2G
startup: order=2
swap: 0
unprivileged: 1
lxc.mount.entry: /srv/bindme srv/raw none bind,create=dir 0 0
`;

/** Made of an OCI image, as pve-container's source makes it; never recorded. */
export const ociConfig = `arch: amd64
cmode: console
entrypoint: /docker-entrypoint.sh nginx
hostname: shop
memory: 256
net0: name=eth0,bridge=vmbr0,host-managed=1,hwaddr=BC:24:11:00:00:04,ip=dhcp,type=veth
ostype: unmanaged
rootfs: local-lvm:vm-101-disk-0,size=2G
unprivileged: 1
lxc.environment.runtime: NGINX_VERSION=1.29
lxc.idmap: u 0 100000 65536
lxc.idmap: g 0 100000 65536
lxc.init.cwd: /
lxc.mount.entry: /srv/bindme srv/raw none bind,create=dir 0 0
lxc.signal.halt: SIGQUIT
`;

/** A backup with much that must not come along, and the test of it. */
export function plantTest(
  { lab, clock }: { lab: Lab; clock: { now(): number } },
  type: "qemu" | "lxc",
  more: Partial<RestoreTest> = {},
  planted: {
    storage?: "nfs1" | "pbs1";
    format?: string;
    config?: string;
    firewall?: string;
    agent?: "none" | "dead" | "answers";
  } = {},
): RestoreTest {
  const vmid = type === "qemu" ? 900 : 901;
  const { storage = "nfs1", config = type === "qemu" ? vmConfig : ctConfig, ...rest } = planted;
  const volid = lab.restores.plantBackup({ vmid, type, storage, config, at: clock.now() - 3_600_000, ...rest });
  return {
    vmid,
    type,
    backup: { storage, volid },
    checks: [{ name: "web", kind: "http", scheme: "http", path: "/", text: "It works" }],
    integrity: true,
    screenshot: false,
    benchmark: false,
    timeoutSec: 1800,
    bootSec: 120,
    keepSec: 0,
    ...more,
  };
}
