import { startLab } from "../../../test/lab/lab.ts";

/**
 * `main.ts DIR NODES GUESTS`: the simulated cluster as a process of its own, so that its work is not counted as the agent's. Prints one line
 * of JSON, the agents' configuration files by node, and runs until its input ends.
 */
const [dir, nodes, guests] = process.argv.slice(2);
if (dir === undefined || nodes === undefined || guests === undefined) throw new Error("usage: main.ts DIR NODES GUESTS");

const lab = await startLab({ dir, nodes: Number(nodes), guests: Number(guests), activity: false });
const configs = Object.fromEntries([...lab.apiPorts.keys()].map((node) => [node, lab.agentConfig(node)]));
console.log(JSON.stringify({ configs, pmxcfs: lab.tree.pmxcfs }));

process.stdin.resume();
process.stdin.once("end", () => {
  lab.stop().then(
    () => process.exit(lab.misuses.length === 0 ? 0 : 1),
    () => process.exit(1),
  );
});
