import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { SeriesAnswer } from "#protocol/api.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { pveTemplate } from "../support/template-file.ts";
import { Container, removeGroups } from "./container.ts";
import { Network } from "./network.ts";
import { unpack } from "./rootfs.ts";

const relay = join(import.meta.dirname, "relay.mjs");

/** As the lab's `.members` says it: the addresses that the cluster itself uses. */
export const addresses = { pve1: "192.168.50.11", pve2: "192.168.50.12", pve3: "192.168.50.13" } as const;
export type Node = keyof typeof addresses;
export const nodes = Object.keys(addresses) as Node[];

/** Three booted nodes of the lab's cluster on a network of their own. pve1 is where the hub will be. */
export class Cluster {
  readonly containers = new Map<Node, Container>();
  apiKey = "";
  private readonly dir = mkdtempSync(join(tmpdir(), "proven-install-"));
  private readonly relays: ChildProcess[] = [];
  private readonly doors: Server[] = [];
  private readonly network = new Network(`proven${process.pid}`);

  private constructor(private readonly lab: Lab) {}

  /** `tar`: Debian. `debs` lie in /debs of every node. */
  static async start(tar: string, debs: readonly string[]): Promise<Cluster> {
    const labDir = mkdtempSync(join(tmpdir(), "proven-install-lab-"));
    const cluster = new Cluster(await startLab({ dir: labDir, nodes: 3, guests: 40 }));
    try {
      const base = join(cluster.dir, "base");
      unpack(tar, base);
      mkdirSync(join(cluster.dir, "debs"));
      for (const deb of debs) copyFileSync(deb, join(cluster.dir, "debs", basename(deb)));
      for (const node of nodes) cluster.prepare(node, base);
      await Promise.all([...cluster.containers.values()].map((container) => container.boot()));
      await Promise.all(nodes.map((node) => cluster.openApi(node)));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  on(node: Node): Container {
    return this.containers.get(node) as Container;
  }

  /** From now on `call` reaches the hub on pve1. */
  async openHub(): Promise<void> {
    await this.relay("pve1", `unix:${join(this.dir, "hub.sock")}`, `tcp:${addresses.pve1}:8420`);
    const output = await this.on("pve1").run("proven-hub", "key", "create", "--name", "test", "--scope", "admin");
    this.apiKey = output.trim();
  }

  /** @throws Error for anything but a 2xx. */
  call<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${this.apiKey}`,
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    };
    const options = {
      socketPath: join(this.dir, "hub.sock"),
      method,
      path: `/api/v1/${path}`,
      headers,
      rejectUnauthorized: false,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request({ ...options, agent: false, timeout: 10_000 }, (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (part) => (answer += part));
        response.on("error", reject);
        response.on("end", () => {
          if ((response.statusCode ?? 0) > 299) reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
          else resolve(JSON.parse(answer) as T);
        });
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  }

  /** Times of a node's samples in the hub, ms. */
  async samplesOf(node: Node, from: number): Promise<number[]> {
    const query = { series: [{ entity: `node/${node}`, metric: "uptime" }], from, to: Date.now(), aggregates: ["last"] };
    return (await this.call<SeriesAnswer>("POST", "series/query", query)).series[0]?.at ?? [];
  }

  async stop(): Promise<void> {
    await Promise.all([...this.containers.values()].map((container) => container.stop()));
    for (const child of this.relays) child.kill();
    for (const door of this.doors) door.close();
    this.network.remove();
    removeGroups();
    await this.lab.stop();
    for (const dir of [this.dir, this.lab.dir]) rmSync(dir, { recursive: true, force: true });
  }

  /** The lab's files where Proxmox VE has its own; its cluster file system links to one folder for all nodes. */
  private prepare(node: Node, base: string): void {
    const root = join(this.lab.dir, "nodes", node);
    const binds = {
      "/pmxcfs": join(this.lab.dir, "pmxcfs"),
      "/etc/pve": join(root, "etc/pve"),
      "/pve-files": join(root, "etc/pve"), // to mount it again from
      "/run/pve": join(root, "run/pve"),
      "/var/log/pve": join(root, "var/log/pve"),
      "/debs": join(this.dir, "debs"),
    };
    const netns = this.network.connect(node, addresses[node]);
    this.containers.set(node, new Container({ name: node, dir: join(this.dir, node), base, netns, binds }));
  }

  /** pvedaemon's port inside leads to the lab's API of this node. */
  private async openApi(node: Node): Promise<void> {
    const path = join(this.dir, `${node}.sock`);
    const door = createServer((inside) => {
      const outside = connect(this.lab.apiPorts.get(node) as number, "127.0.0.1");
      inside.pipe(outside).pipe(inside);
      inside.on("error", () => outside.destroy());
      outside.on("error", () => inside.destroy());
    });
    await new Promise<void>((resolve) => door.listen(path, resolve));
    this.doors.push(door);
    await this.relay(node, "tcp:127.0.0.1:85", `unix:${path}`);
  }

  private async relay(node: Node, from: string, to: string): Promise<void> {
    const command = [
      "--pdeathsig=KILL",
      "ip",
      "netns",
      "exec",
      `proven${process.pid}-${node}`,
      process.execPath,
      relay,
      from,
      to,
    ];
    const child = spawn("setpriv", command, { stdio: ["ignore", "pipe", "inherit"] });
    this.relays.push(child);
    await once(child.stdout, "data");
  }
}

/** Asks until the answer is right, and returns how long that took, ms. @throws Error with the last answer when it never is. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  right: (answer: T) => boolean,
  withinMs: number,
): Promise<number> {
  const startedAt = Date.now();
  for (;;) {
    const answer = await ask().catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    if (!(answer instanceof Error) && right(answer)) return Date.now() - startedAt;
    if (Date.now() - startedAt > withinMs) {
      throw new Error(`${what}: still ${answer instanceof Error ? answer.message : JSON.stringify(answer).slice(0, 2000)}`);
    }
    await pause(250);
  }
}

/** A package like pve-manager: its page and nothing else. */
export function managerPackage(dir: string, version: string, template = pveTemplate): string {
  const tree = join(dir, `pve-manager-${version}`);
  for (const folder of ["DEBIAN", "usr/share/pve-manager/js"]) mkdirSync(join(tree, folder), { recursive: true });
  writeFileSync(join(tree, "usr/share/pve-manager/index.html.tpl"), template);
  writeFileSync(join(tree, "usr/share/pve-manager/js/pvemanagerlib.js"), "");
  const fields = [
    "Package: pve-manager",
    `Version: ${version}`,
    "Architecture: all",
    "Maintainer: Test <test@example.invalid>",
    "Description: test",
  ];
  writeFileSync(join(tree, "DEBIAN/control"), `${fields.join("\n")}\n`);
  const deb = `${tree}.deb`;
  const { status, stderr } = spawnSync("dpkg-deb", ["--root-owner-group", "-Znone", "-b", tree, deb], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return deb;
}
