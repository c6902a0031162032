import type { PlannedCall, RestorePlan, RestoreTest } from "#protocol/restore.ts";
import { isNet } from "./backed-up-config.ts";
import { stripVmCall } from "./isolate-vm.ts";
import type { IsolationPlan, Removed } from "./isolation.ts";
import { bootsLinked, linksUp } from "./link-up.ts";

/** The calls a restore test would make, in order and word for word; what only its run can know stands in angle brackets. */
export function dryRun(
  test: RestoreTest,
  node: string,
  found: {
    testVmid: number;
    storage: string;
    needsBytes: number;
    plan: IsolationPlan;
    problems: readonly string[];
    expectsAgent: boolean;
  },
): RestorePlan {
  const { plan } = found;
  return {
    vmid: test.vmid,
    type: test.type,
    backup: test.backup,
    testVmid: found.testVmid,
    storage: found.storage,
    needsBytes: found.needsBytes,
    calls: [
      ...readingCalls(test, node, found.testVmid),
      ...changingCalls(test, node, found.testVmid, plan, linksOf(test, found)),
    ].slice(0, 64),
    removed: removedOf(plan).slice(0, 128),
    problems: [...plan.refusals, ...found.problems].slice(0, 32).map((text) => text.slice(0, 500)),
  };
}

function removedOf({ strip, empty }: IsolationPlan): Removed[] {
  const emptied = empty.map((key) => ({ key, why: "the CD image stays with production" }));
  return [...strip, ...emptied].map(({ key, why }) => ({ key: key.slice(0, 64), why: why.slice(0, 200) }));
}

function readingCalls({ backup }: RestoreTest, node: string, vmid: number): PlannedCall[] {
  const get = (step: PlannedCall["step"], path: string, params: Record<string, string> = {}): PlannedCall => ({
    step,
    method: "GET",
    path,
    params,
  });
  return [
    get("locate", `/nodes/${node}/storage/${backup.storage}/content`, { content: "backup" }),
    get("configuration", `/nodes/${node}/vzdump/extractconfig`, { volume: backup.volid }),
    get("preflight", "/cluster/nextid", { vmid: String(vmid) }),
  ];
}

/** Undefined: it boots without. What it was created with says its MAC only where that is the backup's. */
function linksOf(test: RestoreTest, { plan, expectsAgent }: { plan: IsolationPlan; expectsAgent: boolean }) {
  if (!bootsLinked(test, expectsAgent, plan.create)) return undefined;
  const named = (value: string) => {
    const [first = "", ...rest] = value.split(",");
    if (test.type === "lxc") return [first, ...rest, "hwaddr=<MAC>"].join(",");
    return [first.includes("=") ? first : `${first}=<MAC>`, ...rest].join(",");
  };
  const written = Object.entries(plan.create).map(([key, value]) => [key, isNet(key) ? named(value) : value]);
  return linksUp(Object.fromEntries(written))?.params;
}

function changingCalls(
  test: RestoreTest,
  node: string,
  vmid: number,
  plan: IsolationPlan,
  links: Readonly<Record<string, string>> | undefined,
): PlannedCall[] {
  const guest = `/nodes/${node}/${test.type}/${vmid}`;
  const call = (
    step: PlannedCall["step"],
    method: PlannedCall["method"],
    path: string,
    params: Readonly<Record<string, string>> = {},
    why?: string,
  ): PlannedCall => ({ step, method, path, params: { ...params }, ...(why !== undefined && { why }) });
  const lock = `/run/lock/lxc/pve-config-${vmid}.lock`;
  const rewrite = (step: PlannedCall["step"], why: string) =>
    call(step, "run", `flock ${lock}`, { file: `/etc/pve/nodes/${node}/lxc/${vmid}.conf` }, why);
  const strip = stripVmCall(plan);
  const isolating =
    test.type === "qemu"
      ? [
          ...(strip === undefined ? [] : [call("strip", "PUT", `${guest}/config`, strip)]),
          call("unlock", "PUT", `${guest}/config`, { delete: "lock", skiplock: "1" }),
        ]
      : [
          rewrite("strip", `without ${plan.strip.map(({ key }) => key).join(", ") || "anything more"}`.slice(0, 500)),
          rewrite("unlock", "without its lock: there is no call for that"),
        ];
  const skiplock = test.type === "qemu" ? { skiplock: "1" } : {};
  return [
    call(
      "restore",
      "POST",
      `/nodes/${node}/${test.type}`,
      plan.create,
      "locked, every card on the sandbox' bridge with its link down",
    ),
    call("compare", "GET", `${guest}/config`),
    ...isolating,
    ...(links === undefined
      ? []
      : [call("start", "PUT", `${guest}/config`, links, "it boots with its network, on the sandbox' bridge")]),
    call("start", "POST", `${guest}/status/start`),
    call("stop", "POST", `${guest}/status/stop`, skiplock),
    call("destroy", "DELETE", guest, { purge: "1", "destroy-unreferenced-disks": "1", ...skiplock }),
  ];
}
