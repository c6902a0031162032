import type { Fault } from "./control.ts";

type Example = { tries: string; fault: Fault; undo?: Fault };

/** What is worth a look in the panel, each as one body of `POST /fault`, in a lab of at least two nodes and two guests. */
export const faultExamples: readonly Example[] = [
  {
    tries: "a node burns",
    fault: { kind: "node", node: "pve2", action: "kill" },
    undo: { kind: "node", node: "pve2", action: "revive" },
  },
  {
    tries: "the cluster loses its quorum",
    fault: { kind: "quorum", quorate: false },
    undo: { kind: "quorum", quorate: true },
  },
  {
    tries: "an NFS server hangs (also: slow, inactive)",
    fault: { kind: "storage", storage: "nfs1", fault: "hang" },
    undo: { kind: "storage", storage: "nfs1", fault: null },
  },
  {
    tries: "a ZFS pool loses a disk",
    fault: { kind: "zpool", node: "pve1", health: "DEGRADED" },
    undo: { kind: "zpool", node: "pve1", health: "ONLINE" },
  },
  {
    tries: "pvestatd dies",
    fault: { kind: "pvestatd", node: "pve1", running: false },
    undo: { kind: "pvestatd", node: "pve1", running: true },
  },
  {
    tries: "a node's clock is five minutes ahead",
    fault: { kind: "clock", node: "pve1", offsetMs: 300_000 },
    undo: { kind: "clock", node: "pve1", offsetMs: 0 },
  },
  {
    tries: "a guest stops by itself",
    fault: { kind: "guest", vmid: 100, action: "stop" },
    undo: { kind: "guest", vmid: 100, action: "start" },
  },
  {
    tries: "a guest is locked",
    fault: { kind: "lock", vmid: 100, lock: "backup" },
    undo: { kind: "lock", vmid: 100, lock: null },
  },
  {
    tries: "a node's CPU is busy",
    fault: { kind: "metric", entity: "node/pve1", metric: "cpu", value: 0.99 },
    undo: { kind: "metric", entity: "node/pve1", metric: "cpu", value: null },
  },
  {
    tries: "128 MiB of what a Linux has in use are page cache: its own agent tells at the next question",
    fault: { kind: "metric", entity: "guest/100", metric: "mem_reclaimable", value: 128 * 2 ** 20 },
    undo: { kind: "metric", entity: "guest/100", metric: "mem_reclaimable", value: null },
  },
  { tries: "the next backup of a guest fails …", fault: { kind: "fail-backup", vmid: 101 } },
  { tries: "… and that is it now", fault: { kind: "backup", vmid: 101 } },
  { tries: "the next restore stands still half-way", fault: { kind: "restore", fault: "hang" } },
  { tries: "the next restore runs out of space", fault: { kind: "restore", fault: "storage-full", at: 0.5 } },
];

/** Lines to paste into a shell; `control` is the lab's address. */
export function faultHelp(control: string): string {
  const line = (fault: Fault) => `curl -d '${JSON.stringify(fault)}' ${control}/fault`;
  const examples = faultExamples.map(({ tries, fault, undo }) =>
    [`# ${tries}`, line(fault), ...(undo === undefined ? [] : [`# and back: ${line(undo)}`])].join("\n"),
  );
  return `Faults of the simulated cluster, to paste into a shell. All there are: test/lab/control.ts and restore-faults.ts.
The cluster as it is: curl ${control}/state

${examples.join("\n\n")}
`;
}
