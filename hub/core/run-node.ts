import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { byText } from "#protocol/order.ts";
import { type ClusterPicture, spokesman } from "./cluster.ts";
import { ownedGuest } from "./inventory.ts";
import { backupOf } from "./run.ts";
import type { Run } from "./run-record.ts";

/** Operations one node is given at a time; its own limit may be lower. */
const perNodeMax = 4;

export type NodeQuestion = {
  picture: ClusterPicture | undefined;
  /** Whether this node's agent is connected and takes operations. */
  takes(node: NodeName): boolean;
  /** Operations it has now. */
  busy(node: NodeName): number;
  /** Nodes that listed this backup, where it is on a storage that isn't shared; undefined: nobody did. */
  holders(storage: string, volid: string): readonly NodeName[] | undefined;
  now: EpochMs;
};

export type NodeChoice = { ok: true; node: NodeName } | { ok: false; why: string };

/** Where an operation runs: the guest's own node if it reaches the storage, else the least busy one that does. `why`: a sentence. */
export function chooseNode(run: Pick<Run, "operation" | "guest" | "nodes">, question: NodeQuestion): NodeChoice {
  const { picture, takes, busy } = question;
  const reachable = nodesWith(run, question);
  if (!reachable.ok || picture === undefined) return reachable.ok ? no("the cluster is not known") : reachable;
  const allowed = run.nodes.length === 0 ? reachable.nodes : reachable.nodes.filter((node) => run.nodes.includes(node));
  if (allowed.length === 0) return no(`none of the allowed nodes (${run.nodes.join(", ")}) reaches the storage`);
  const fitting = run.nodes.length > 0 ? allowed : withStorages(allowed, run, question);
  const there = fitting.filter(takes);
  if (there.length === 0) return no(whyNobody(fitting, picture));
  const free = there.filter((node) => busy(node) < perNodeMax);
  if (free.length === 0) return no(`${there.join(", ")}: ${perNodeMax} operations run there already`);
  const own = run.guest === null ? undefined : ownedGuest(picture.owners, run.guest.vmid)?.owner.agent.node;
  const [best] = [...free].sort((a, b) => Number(b === own) - Number(a === own) || busy(a) - busy(b) || byText(a, b));
  return best === undefined ? no("no node is free") : { ok: true, node: best };
}

/**
 * For a restore: nodes that have the storage it is to go to, or those that the guest's disks lie on, where it goes if it is told none. All, where no
 * node that is here has them: an agent may have been given another one by its own configuration, and a guest whose node burnt is to be tested too.
 */
function withStorages(
  nodes: NodeName[],
  { operation, guest }: Pick<Run, "operation" | "guest">,
  question: NodeQuestion,
): NodeName[] {
  if ((operation.kind !== "restore-test" && operation.kind !== "restore-plan") || question.picture === undefined) return nodes;
  const { picture, now } = question;
  const told = operation.params.storage;
  const wanted = told !== undefined ? [told] : (ownedGuest(picture.owners, guest?.vmid)?.facts.storages ?? []);
  const known = spokesman(picture, now)?.inventory?.inventory.storages ?? [];
  const limited = known.filter(({ storage, nodes: only }) => only.length > 0 && wanted.includes(storage));
  const having = nodes.filter((node) => limited.every(({ nodes: only }) => only.includes(node)));
  const isHere = having.some((node) => picture.agents.get(node)?.state === "connected");
  return isHere ? having : nodes;
}

/** An agent that is here and takes nothing speaks a version of the link that knows no operations. */
function whyNobody(nodes: readonly NodeName[], { agents }: ClusterPicture): string {
  const old = nodes.filter((node) => agents.get(node)?.state === "connected");
  const away = nodes.filter((node) => !old.includes(node));
  return [
    ...(away.length === 0 ? [] : [`the agent of ${away.join(", ")} is away`]),
    ...(old.length === 0 ? [] : [`the agent of ${old.join(", ")} is too old for this: upgrade proven-agent there`]),
  ].join("; ");
}

const no = (why: string): { ok: false; why: string } => ({ ok: false, why });

type Reachable = { ok: true; nodes: NodeName[] } | { ok: false; why: string };

function nodesWith({ operation }: Pick<Run, "operation">, { picture, holders, now }: NodeQuestion): Reachable {
  if (picture === undefined) return no("the cluster is not known");
  const { storage, volid } = backupOf(operation);
  const facts = spokesman(picture, now)?.inventory?.inventory.storages.find((one) => one.storage === storage);
  if (facts === undefined) return no(`no agent knows a storage ${storage}`);
  if (!facts.enabled) return no(`storage ${storage} is disabled`);
  const agents = [...picture.agents.values()].filter(({ state }) => state !== "revoked").map(({ node }) => node);
  const allowed = agents.filter((node) => facts.nodes.length === 0 || facts.nodes.includes(node));
  if (allowed.length === 0) return no(`no node with an agent may use storage ${storage}`);
  const having = facts.shared || volid === null ? undefined : holders(storage, volid);
  if (having === undefined) return { ok: true, nodes: allowed };
  const nodes = allowed.filter((node) => having.includes(node));
  return nodes.length > 0 ? { ok: true, nodes } : no(`the backup lies on ${having.join(", ")}, where no agent of ours is`);
}
