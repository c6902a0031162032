import { execFileSync } from "node:child_process";

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] });

/** A switch in a network namespace of its own, and one namespace for each host at it. The machine's own network is not touched. */
export class Network {
  private readonly names: string[] = [];
  private readonly hub: string;

  constructor(private readonly prefix: string) {
    this.hub = this.add("switch");
    ip("-n", this.hub, "link", "add", "br0", "type", "bridge");
    ip("-n", this.hub, "link", "set", "br0", "up");
  }

  /** A namespace with `eth0` at this address, of a /24. Returns its name. */
  connect(host: string, address: string): string {
    const name = this.add(host);
    const port = `p${this.names.length}`;
    ip("-n", this.hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name);
    ip("-n", this.hub, "link", "set", port, "master", "br0", "up");
    ip("-n", name, "address", "add", `${address}/24`, "dev", "eth0");
    for (const device of ["lo", "eth0"]) ip("-n", name, "link", "set", device, "up");
    return name;
  }

  remove(): void {
    for (const name of this.names.splice(0)) ip("netns", "delete", name);
  }

  private add(suffix: string): string {
    const name = `${this.prefix}-${suffix}`;
    ip("netns", "add", name);
    this.names.push(name);
    return name;
  }
}
