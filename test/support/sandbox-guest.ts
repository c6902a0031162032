import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const programs = ["ip", "nft", "dnsmasq", "ping", "perl", "sysctl"];
const paths = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Why real sandboxes can't be made here; false: they can. */
export function sandboxSkip(): string | false {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const missing = programs.filter((program) => !paths.some((path) => existsSync(`${path}/${program}`)));
  if (missing.length > 0) return `not installed: ${missing.join(" ")}`;
  try {
    execFileSync("ip", ["netns", "add", "proven-probe"], { stdio: "ignore" });
    execFileSync("ip", ["netns", "delete", "proven-probe"], { stdio: "ignore" });
    return false;
  } catch {
    return "this kernel or container gives no network namespaces";
  }
}

const run = (file: string, args: readonly string[]) =>
  execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 20_000 });
const dhcpClient = fileURLToPath(new URL("./dhcp-client.ts", import.meta.url));

/** What stands for a test guest: a namespace of its own with one card, plugged into a bridge as PVE plugs a container's. */
export class SandboxGuest {
  readonly netns: string;
  readonly mac: string;

  constructor(
    readonly id: number,
    bridge: string,
  ) {
    this.netns = `provenguest${process.pid}n${id}`;
    const tail = (process.pid * 100 + id).toString(16).padStart(8, "0").slice(-8);
    this.mac = `02:00:${(tail.match(/../g) as string[]).join(":")}`.toUpperCase();
    const plug = `pvg${(process.pid % 100_000) * 10 + id}`;
    run("ip", ["netns", "add", this.netns]);
    run("ip", ["link", "add", plug, "type", "veth", "peer", "name", "eth0", "address", this.mac, "netns", this.netns]);
    run("ip", ["link", "set", plug, "master", bridge, "up"]);
    this.ip("link", "set", "lo", "up");
    this.ip("link", "set", "eth0", "up");
  }

  ip(...args: string[]): string {
    return run("ip", ["-n", this.netns, ...args]);
  }

  exec(file: string, ...args: string[]): string {
    return run("ip", ["netns", "exec", this.netns, file, ...args]);
  }

  /** Exit code 0. */
  can(file: string, ...args: string[]): boolean {
    try {
      this.exec(file, ...args);
      return true;
    } catch {
      return false;
    }
  }

  /** Whether a TCP server that speaks first is reached within 0.4 s. */
  connects(host: string, port: number): boolean {
    const script = `const socket = require("net").connect(${JSON.stringify({ host, port })});
      setTimeout(() => process.exit(1), 400);
      socket.on("data", () => process.exit(0));
      socket.on("error", () => process.exit(1));`;
    return this.can(process.execPath, "-e", script);
  }

  /** What it is given where it names itself so to DHCP; its firmware waits as long as a second here. */
  asksAs(vendor: string): string {
    this.ip("route", "add", "default", "dev", "eth0");
    const answer = this.exec(process.execPath, "--import", "tsx", dhcpClient, this.mac, vendor).trim();
    this.ip("route", "delete", "default");
    return answer;
  }

  /** Takes the address the sandbox gives out. */
  boot(): { address: string; router: string; dns: string } {
    this.ip("route", "add", "default", "dev", "eth0");
    const answer = this.exec(process.execPath, "--import", "tsx", dhcpClient, this.mac).trim().split(" ");
    const [address, router, dns] = answer as [string, string, string];
    this.ip("route", "delete", "default");
    this.ip("address", "add", `${address}/16`, "dev", "eth0");
    this.ip("route", "add", "default", "via", router);
    return { address, router, dns };
  }

  remove(): void {
    try {
      run("ip", ["netns", "delete", this.netns]);
    } catch {
      // never got so far
    }
  }
}

/** Address, with its prefix, of this host's own first card; undefined: it has none. */
export function hostAddress(): string | undefined {
  return /inet (\d+\.\d+\.\d+\.\d+)\/\d+ .*scope global/.exec(run("ip", ["-4", "-o", "address", "show"]))?.[1];
}
