import { ApiError, type Call, type Handler } from "./api.ts";
import type { CommandResult } from "./control-server.ts";
import { readGuestFile } from "./guest-files.ts";
import { runInGuest } from "./guest-shell.ts";
import { agentInterfacesOf, answeringGuest, type JobContext } from "./job-handlers.ts";
import { localGuest } from "./read-handlers.ts";
import type { RestoreLab } from "./restore-lab.ts";
import type { Guest } from "./world.ts";

/** What is asked inside restored guests: through the guest agent, `lxc interfaces`, the monitor. Shapes of QGA, never recorded. */

type Context = JobContext & { restores: RestoreLab };

const execMs = 300;

/** Commands that the agents run or ran; QGA gives the result of a process away once. */
class AgentProcesses {
  private readonly known = new Map<string, { result: CommandResult; endsAt: number }>();
  private pid = 900;

  start(guest: Guest, result: CommandResult, endsAt: number): number {
    this.pid++;
    this.known.set(`${guest.life.spec.vmid} ${this.pid}`, { result, endsAt });
    return this.pid;
  }

  look(guest: Guest, pid: number, at: number): Record<string, unknown> {
    const key = `${guest.life.spec.vmid} ${pid}`;
    const found = this.known.get(key);
    if (found === undefined) throw new ApiError(500, `Agent error: PID ${pid} does not exist`);
    if (at < found.endsAt) return { exited: 0 };
    this.known.delete(key);
    const { code, stdout, stderr } = found.result;
    return {
      exited: 1,
      exitcode: code,
      ...(stdout === "" ? {} : { "out-data": stdout }),
      ...(stderr === "" ? {} : { "err-data": stderr }),
    };
  }
}

/** Cards of a restored guest as seen inside: without a link they have no address. */
function cards({ restores, now }: Context, guest: Guest) {
  return restores.copies.nets(guest).map(({ bridge, mac, up, name }, index) => {
    const address =
      up && bridge !== undefined && mac !== undefined ? restores.runtime.addressOf(bridge, [mac], now()) : undefined;
    return { name: name ?? `ens${18 + index}`, mac: mac?.toLowerCase() ?? "", address };
  });
}

async function interfaces(context: Context, call: Call): Promise<unknown> {
  const guest = await answeringGuest(context, call);
  if (guest.file === undefined) return agentInterfacesOf(context, guest);
  const nics = cards(context, guest).map(({ name, mac, address }) => ({
    name,
    "hardware-address": mac,
    ...(address === undefined ? {} : { "ip-addresses": [{ "ip-address": address, "ip-address-type": "ipv4", prefix: 24 }] }),
  }));
  const loopback = { name: "lo", "ip-addresses": [{ "ip-address": "127.0.0.1", "ip-address-type": "ipv4", prefix: 8 }] };
  return { result: [loopback, ...nics] };
}

/** pve-container PVE/API2/LXC.pm ip; a stopped container has none. */
function containerInterfaces(context: Context, call: Call): unknown {
  const guest = localGuest(context, call, "lxc");
  if (context.world.reading(guest, context.now()) === undefined) return null;
  const loopback = { name: "lo", hwaddr: "00:00:00:00:00:00", "hardware-address": "00:00:00:00:00:00", inet: "127.0.0.1/8" };
  const nics = cards(context, guest).map(({ name, mac, address }) => ({
    name,
    hwaddr: mac,
    "hardware-address": mac,
    ...(address === undefined ? {} : { inet: `${address}/24` }),
  }));
  return [loopback, ...nics];
}

const rootOnlyMonitor = /^(screendump|savevm|migrate|device_add|drive_add|object_add|netdev_add|change)\b/;

function monitor({ restores, now, world }: Context, call: Call): string {
  const guest = localGuest({ world, now }, call, "qemu");
  const command = String(call.params.command);
  if (rootOnlyMonitor.test(command) && call.user !== "root@pam") throw new ApiError(403, "Permission check failed (root only)");
  if (world.reading(guest, now()) === undefined) throw new ApiError(500, `VM ${guest.life.spec.vmid} is not running`);
  if (command === "info status") return "VM status: running\r\n";
  restores.safety.touches(call.user, guest, `monitor "${command}" of`);
  const dump = /^screendump (\S+) -f png$/.exec(command);
  if (dump === null) return `unknown command: '${command.split(" ")[0]}'\r\n`;
  return restores.qmp.dumpTo(guest, dump[1] as string) ?? "";
}

export function insideHandlers(context: Context): Record<string, Handler> {
  const processes = new AgentProcesses();
  return {
    agentInterfaces: (call) => interfaces(context, call),
    agentFileRead: (call) => readGuestFile(context, call),
    agentExec: async (call) => {
      const guest = await answeringGuest(context, call);
      context.restores.safety.touches(call.user, guest, "exec in");
      const { command } = call.params;
      const argv = Array.isArray(command) ? command : [String(command)];
      return { pid: processes.start(guest, runInGuest(context.restores.runtime, guest, argv), context.now() + execMs) };
    },
    agentExecStatus: async (call) => {
      const guest = await answeringGuest(context, call);
      return processes.look(guest, Number(call.params.pid), context.now());
    },
    lxcInterfaces: (call) => containerInterfaces(context, call),
    qemuMonitor: (call) => monitor(context, call),
  };
}
