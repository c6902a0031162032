import assert from "node:assert/strict";
import type { ListedAgent, ListedToken, OfferedToken } from "../../hub/cli/join-commands.ts";
import { addresses, type Cluster, type Node, until } from "./cluster.ts";

/** `proven-hub VERB … --json` on the hub's node. */
const asked = async <T>(cluster: Cluster, ...words: string[]): Promise<T> =>
  JSON.parse(await cluster.on("pve1").run("proven-hub", ...words, "--json")) as T; // our own output

/** As `systemctl restart pve-cluster` does: /etc/pve is taken away and mounted again, below the running agent's feet. */
export async function remountClusterFiles(cluster: Cluster, node: Node): Promise<void> {
  const asAgent = async (...words: string[]) => {
    const pid = (await cluster.on(node).run("systemctl", "show", "--value", "--property=MainPID", "proven-agent")).trim();
    return cluster.on(node).try("nsenter", `--target=${pid}`, "--mount", ...words);
  };
  await cluster.on(node).run("umount", "--lazy", "/etc/pve");
  assert.notEqual((await asAgent("cat", "/etc/pve/.version")).code, 0, "the agent still sees the old mount");
  await cluster.on(node).run("mount", "--bind", "/pve-files", "/etc/pve");
  assert.equal((await asAgent("cat", "/etc/pve/proven/hub.json")).code, 0, "the agent does not see the new mount");
}

/** A node that is shut out comes back with a key of its own by a token, which is then used up. */
export async function joinByToken(cluster: Cluster, node: Node): Promise<void> {
  const before = (await asked<ListedAgent[]>(cluster, "agent", "list")).find((agent) => agent.node === node);
  assert.ok(before);
  await cluster.on("pve1").run("proven-hub", "agent", "revoke", before.id);
  const { id, token, fingerprint } = await asked<OfferedToken>(cluster, "token", "create");
  const { id: unused } = await asked<OfferedToken>(cluster, "token", "create");
  await cluster.on("pve1").run("proven-hub", "token", "revoke", unused);
  const url = `wss://${addresses.pve1}:8420/agent`;
  const steps = [
    "rm /var/lib/proven-agent/agent.key",
    `printf '%s\\n' ${token} | proven-agent join ${url} --fingerprint ${fingerprint} --token -`,
    "systemctl restart proven-agent",
  ];
  await cluster.on(node).run("sh", "-e", "-c", steps.join("\n"));
  const listed = () => asked<ListedToken[]>(cluster, "token", "list");
  const isUsed = (list: readonly ListedToken[]) => list.some((one) => one.id === id && one.problem === "used");
  await until(`${node} joined by token`, listed, isUsed, 60_000);
  const tokens = await listed();
  assert.deepEqual(
    tokens.map((one) => [one.id, one.usedBy]),
    [[id, before.id]],
  );
  const stored = await cluster.on(node).run("cat", "/var/lib/proven-agent/join.json");
  assert.ok(!stored.includes(token), "a token that is used up is still there");
  const shown = (await cluster.on(node).run("proven-agent", "key", "show")).trim();
  const now = (await asked<ListedAgent[]>(cluster, "agent", "list")).find((agent) => agent.node === node);
  assert.equal(now?.publicKey, shown);
}

/** Memory of a service, MiB: what it alone has, and its share of what others have too. */
export async function pssMib(cluster: Cluster, node: Node, unit: string): Promise<number> {
  const pid = (await cluster.on(node).run("systemctl", "show", "--value", "--property=MainPID", unit)).trim();
  const rollup = await cluster.on(node).run("cat", `/proc/${pid}/smaps_rollup`);
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]) / 1024;
}
