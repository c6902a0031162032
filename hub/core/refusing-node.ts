import type { Run } from "./run-record.ts";

const refusals = 3;
const withinMs = 15 * 60_000;

/**
 * Why a node gets no tests by policy for a while: it refused the last ones one after the other with the same words, as when its PVE does not answer.
 * Without this it would be free again at once, and a whole policy's guests would be refused there within minutes. What a guest is refused for
 * names its sizes, and what is ordered by hand is somebody's own matter: neither may hold the others up. `newestFirst`: by their creation.
 */
export function refusingNode(
  newestFirst: readonly Pick<Run, "cluster" | "node" | "kind" | "policy" | "outcome" | "verdict" | "createdAt">[],
  { cluster, node }: { cluster: string; node: string },
  now: number,
): string | undefined {
  let [count, newest] = [0, ""];
  for (const run of newestFirst) {
    if (now - run.createdAt > withinMs) return undefined;
    if (run.cluster !== cluster || run.node !== node || run.kind !== "restore-test") continue;
    if (run.outcome !== "refused") return undefined;
    if (run.policy === null) continue;
    if (count > 0 && run.verdict !== newest) return undefined;
    if (count++ === 0) newest = run.verdict ?? "";
    if (count === refusals) return `${node} refused its last ${refusals} tests: ${newest}`;
  }
  return undefined;
}
