import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import type { GuestRuntime } from "./guest-runtime.ts";
import { parseJson } from "./json.ts";
import { screenPng } from "./screen-png.ts";
import type { Tree } from "./tree.ts";
import type { Guest } from "./world.ts";

const greeting = {
  QMP: {
    version: { qemu: { micro: 13, minor: 0, major: 10 }, package: "Debian 1:10.0.13+ds-0+deb13u1" },
    capabilities: ["oob"],
  },
};
const refuse = (desc: string, kind = "GenericError") => ({ error: { class: kind, desc } });

/**
 * `/run/qemu-server/<vmid>.qmp` of restored VMs that run: greeting, capabilities, `query-status`, `screendump`. One client at a time, as QEMU has
 * it: the next one waits for its greeting until the first has hung up.
 */
export class QmpSockets {
  private readonly servers = new Map<number, Server>();

  constructor(
    private readonly tree: Tree,
    private readonly runtime: GuestRuntime,
  ) {}

  open(guest: Guest): void {
    const { vmid, type } = guest.life.spec;
    if (type !== "qemu" || this.servers.has(vmid)) return;
    const path = this.pathOf(guest.home, vmid);
    this.makeFolder(guest.home);
    rmSync(path, { force: true });
    const waiting: Socket[] = [];
    let busy = false;
    const serveNext = () => {
      const next = waiting.shift();
      busy = next !== undefined;
      if (next !== undefined) this.serve(guest, next, serveNext);
    };
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      waiting.push(socket);
      if (!busy) serveNext();
    });
    server.listen(path);
    server.unref();
    this.servers.set(vmid, server);
  }

  close(vmid: number): void {
    this.servers.get(vmid)?.close();
    this.servers.delete(vmid);
  }

  closeAll(): void {
    for (const vmid of [...this.servers.keys()]) this.close(vmid);
  }

  private pathOf(node: string, vmid: number): string {
    return join(this.tree.root(node), `run/qemu-server/${vmid}.qmp`);
  }

  private makeFolder(node: string): void {
    const root = this.tree.root(node);
    mkdirSync(join(root, "run/qemu-server"), { recursive: true });
    if (!existsSync(join(root, "var/run"))) symlinkSync("../run", join(root, "var/run"));
  }

  private serve(guest: Guest, socket: Socket, done: () => void): void {
    let rest = "";
    let ready = false;
    const say = (message: object) => socket.write(`${JSON.stringify(message)}\r\n`);
    socket.on("close", done);
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const command = parseJson(line);
        if (command?.execute === "qmp_capabilities") ready = true;
        else if (!ready) {
          say(refuse("Expecting capabilities negotiation with 'qmp_capabilities'", "CommandNotFound"));
          continue;
        }
        say(this.answer(guest, command));
      }
    });
    say(greeting);
  }

  private answer(guest: Guest, command: Record<string, unknown> | undefined): object {
    const args = (command?.arguments ?? {}) as Record<string, unknown>;
    switch (command?.execute) {
      case "qmp_capabilities":
        return { return: {} };
      case "query-status":
        return { return: { status: "running", running: true } };
      case "screendump":
        return args.format === "png"
          ? this.dump(guest, String(args.filename ?? ""))
          : refuse("Parameter 'format' must be png here");
      default:
        return refuse(`The command ${String(command?.execute)} has not been found`, "CommandNotFound");
    }
  }

  /** QEMU writes the file itself, wherever it is told; a path outside the lab means the node's own root. */
  private dump(guest: Guest, filename: string): object {
    const problem = this.dumpTo(guest, filename);
    return problem === undefined ? { return: {} } : refuse(problem);
  }

  /** Undefined: the picture is there. */
  dumpTo(guest: Guest, filename: string): string | undefined {
    if (!this.runtime.of(guest.life.spec.vmid).screenshot) return "no surface";
    const root = this.tree.root(guest.home);
    const path = filename.startsWith(root) ? filename : join(root, filename);
    if (!existsSync(dirname(path))) return `failed to open file '${filename}': No such file or directory`;
    writeFileSync(path, screenPng(guest.life.spec.name), { mode: 0o644 });
    return undefined;
  }
}
