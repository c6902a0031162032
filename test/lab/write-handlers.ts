import { ApiError, type Call, type Handler } from "./api.ts";
import { poolMembers } from "./config-files.ts";
import type { Operations } from "./operations.ts";
import { localGuest } from "./read-handlers.ts";
import type { RestoreLab } from "./restore-lab.ts";
import type { Vzdump, VzdumpOptions } from "./vzdump.ts";
import type { World } from "./world.ts";

export type WriteContext = { world: World; now(): number; operations: Operations; vzdump: Vzdump; restores: RestoreLab };

const badParameter = (name: string, problem: string) => new ApiError(400, "Parameter verification failed.", { [name]: problem });

/** `POST vzdump` after its checks (pve-manager, PVE/API2/VZDump.pm). */
function postVzdump({ world, vzdump }: WriteContext, call: Call): string {
  const { params } = call;
  const storage = String(params.storage ?? "local");
  if (!call.permissions.on(call.user, `/storage/${storage}`).includes("Datastore.AllocateSpace")) {
    throw new ApiError(403, `Permission check failed (/storage/${storage}, Datastore.AllocateSpace)`);
  }
  const listed =
    params.vmid === undefined
      ? undefined
      : String(params.vmid)
          .split(/[,; ]+/)
          .map(Number);
  const vmids = listed ?? (params.pool === undefined ? undefined : poolMembers(world.spec, String(params.pool)));
  if (vmids === undefined && params.all !== 1) throw badParameter("vmid", "property is missing and it is not optional");
  if (vmids !== undefined && params.all === 1) throw badParameter("all", "option conflicts with option 'vmid'");
  const options: VzdumpOptions = {
    storage,
    mode: (params.mode ?? "snapshot") as VzdumpOptions["mode"],
    compress: String(params.compress ?? "0"),
    ...(vmids === undefined ? {} : { vmids }),
    protected: params.protected === 1,
  };
  return vzdump.start(call.node, options, call.user).upid;
}

/** Handlers of the write endpoints; each answers with the UPID of its task. */
export function writeHandlers(context: WriteContext): Record<string, Handler> {
  const { world, now, operations, restores } = context;
  const power =
    (type: "qemu" | "lxc", what: "start" | "stop" | "shutdown"): Handler =>
    (call) => {
      if (!world.quorate(now())) throw new ApiError(500, "cluster not ready - no quorum?");
      const { timeout, forceStop } = call.params;
      const options = { ...(timeout === undefined ? {} : { timeoutSec: Number(timeout) }), forceStop: forceStop === 1 };
      const guest = localGuest({ world, now }, call, type);
      restores.safety.touches(call.user, guest, what);
      if (!restores.copies.all.has(guest)) return operations.power(guest, what, call.user, options).upid;
      return restores.power.ask(guest, what, call, options).upid;
    };
  return {
    qemuStart: power("qemu", "start"),
    qemuStop: power("qemu", "stop"),
    qemuShutdown: power("qemu", "shutdown"),
    lxcStart: power("lxc", "start"),
    lxcStop: power("lxc", "stop"),
    lxcShutdown: power("lxc", "shutdown"),
    vzdump: (call) => postVzdump(context, call),
  };
}
