import { execFileSync } from "node:child_process";
import { closeSync, constants, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

const fixtures = join(import.meta.dirname, "../fixtures/pve-9.2.11");

/** A file recorded on a PVE 9.2.11 node. */
export const recorded = (name: string) => readFileSync(join(fixtures, name), "utf8");

/** When the recorded node's pvestatd wrote its line and its .rrd. */
export const recordedAt = 1_795_400_829_000;

/** Where the recorded files were on their node. */
const places: Record<string, string> = {
  "etc-pve_dot-version": "etc/pve/.version",
  "etc-pve_dot-vmlist": "etc/pve/.vmlist",
  "etc-pve_dot-members": "etc/pve/.members",
  "etc-pve_dot-rrd": "etc/pve/.rrd",
  "etc-pve_storage.cfg": "etc/pve/storage.cfg",
  "etc-pve_user.cfg": "etc/pve/user.cfg",
  "etc-pve_qemu-server_100.conf": "etc/pve/nodes/pve1/qemu-server/100.conf",
  "etc-pve_qemu-server_101.conf": "etc/pve/nodes/pve1/qemu-server/101.conf",
  "etc-pve_qemu-server_9000.conf": "etc/pve/nodes/pve1/qemu-server/9000.conf",
  "etc-pve_lxc_200.conf": "etc/pve/nodes/pve1/lxc/200.conf",
  "run-pve_metrics.line.json": "run/pve/metrics",
  tasks_active: "var/log/pve/tasks/active",
  tasks_index: "var/log/pve/tasks/index",
};

const procFiles: Record<string, string> = {
  stat: "cpu  1000 0 500 8000 400 0 50 50 0 0\ncpu0 500 0 250 4000 200 0 25 25 0 0\ncpu1 500 0 250 4000 200 0 25 25 0 0\nbtime 1795396297\n",
  meminfo:
    "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    6000000 kB\nSwapTotal:       4000000 kB\nSwapFree:        3000000 kB\n",
  loadavg: "1.29 2.74 2.78 2/345 6789\n",
  uptime: "4532.17 7000.00\n",
  diskstats:
    "   8       0 sda 100 5 2048 30 200 7 4096 60 0 80 90 0 0 0 0\n   8       1 sda1 1 0 8 1 0 0 0 0 0 1 1\n 230       0 zd0 9 0 72 1 9 0 72 1 0 2 2\n 253       0 dm-0 9 0 72 1 9 0 72 1 0 2 2\n   7       0 loop0 9 0 72 1 9 0 72 1 0 2 2\n",
  "net/dev":
    "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo: 35584 1 0 0 0 0 0 0 35584 1 0 0 0 0 0 0\n  eno1: 7000 1 0 0 0 0 0 0 1864 1 0 0 0 0 0 0\n vmbr0: 696 1 0 0 0 0 0 0 1014 1 0 0 0 0 0 0\ntap100i0: 0 1 0 0 0 0 0 0 54 1 0 0 0 0 0 0\nveth200i0: 796 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n",
  "pressure/cpu": "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  "pressure/io": "some avg10=2.25 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.75 avg60=0.00 avg300=0.00 total=0\n",
  "pressure/memory": "some avg10=0.10 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.05 avg60=0.00 avg300=0.00 total=0\n",
  cpuinfo: "processor\t: 0\nmodel name\t: AMD EPYC\n",
  version: "Linux version 6.17.2-1-pve (build@proxmox) (gcc) #1 SMP\n",
};

/** A folder that looks like the root of the recorded node; removed when the test ends. */
export class RecordedNode {
  readonly root = mkdtempSync(join(tmpdir(), "proven-node-"));
  private readonly pipes: string[] = [];

  constructor(context: TestContext, { pve = true }: { pve?: boolean } = {}) {
    context.after(() => {
      for (const pipe of this.pipes) closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
      rmSync(this.root, { recursive: true, force: true });
    });
    for (const [name, text] of Object.entries(procFiles)) this.write(`proc/${name}`, text);
    if (!pve) return;
    for (const [name, place] of Object.entries(places)) {
      mkdirSync(dirname(join(this.root, place)), { recursive: true });
      cpSync(join(fixtures, name), join(this.root, place));
    }
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  /** Whoever reads `path` waits for ever, as on a dead NFS server; until the test ends. */
  hang(path: string): void {
    this.remove(path);
    execFileSync("mkfifo", [join(this.root, path)]);
    this.pipes.push(join(this.root, path));
  }
}
