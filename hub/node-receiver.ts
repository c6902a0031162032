import type { ClusterPicture } from "./core/cluster.ts";
import type { SendResult } from "./core/delivery.ts";
import type { NodeOutlet } from "./senders/send.ts";

/**
 * Delivery to the nodes' own outlets. The alerts themselves reach agents by AgentOutlet, whatever routes say, and again with every session; so
 * a message counts as delivered once an agent of each cluster it is about is there to hear it, and waits (and shows) until then.
 */
export function nodeOutlet(pictures: () => ClusterPicture[]): NodeOutlet {
  return {
    send: async ({ kind, nodes }) => {
      const all = pictures();
      const wanted = new Set<string>(kind === "test" ? all.map(({ cluster }) => cluster) : nodes.map(({ cluster }) => cluster));
      const connected = (cluster: string) =>
        all
          .filter((picture) => picture.cluster === cluster)
          .flatMap(({ agents }) => [...agents.values()].filter(({ state }) => state === "connected").map(({ node }) => node));
      const deaf = [...wanted].filter((cluster) => connected(cluster).length === 0);
      return resultOf(deaf, [...wanted].flatMap(connected));
    },
  };
}

function resultOf(deaf: readonly string[], hearing: readonly string[]): SendResult {
  if (deaf.length > 0) return { ok: false, retry: true, problem: `no agent of the cluster ${deaf.join(", ")} is connected` };
  if (hearing.length === 0) return { ok: false, retry: true, problem: "no agent is connected" };
  return { ok: true, answer: `agents of ${hearing.join(", ")}` };
}
