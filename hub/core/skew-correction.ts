import type { NodeName } from "#protocol/ids.ts";
import type { AgentStatus, ClusterPicture } from "./cluster.ts";

/**
 * When the hub's clock is set, every measured skew is wrong by as much until the agent's next word, within a minute: without correction all
 * nodes would look silent.
 */
export class SkewCorrection {
  /** By cluster and node: the measurement that is wrong, and by how much. */
  private readonly wrong = new Map<string, { measured: number; by: number }>();

  jumped(pictures: readonly ClusterPicture[], ms: number): void {
    for (const { cluster, agents } of pictures) {
      for (const [node, { clockSkewMs }] of agents) {
        const key = `${cluster} ${node}`;
        const known = this.wrong.get(key);
        const by = ms + (known !== undefined && known.measured === clockSkewMs ? known.by : 0);
        this.wrong.set(key, { measured: clockSkewMs ?? 0, by });
      }
    }
  }

  /** The picture with skews as they must be now. */
  correct(picture: ClusterPicture): ClusterPicture {
    if (this.wrong.size === 0) return picture;
    const agents = new Map<NodeName, AgentStatus>();
    for (const [node, agent] of picture.agents) {
      const key = `${picture.cluster} ${node}`;
      const wrong = this.wrong.get(key);
      const stands = wrong !== undefined && wrong.measured === (agent.clockSkewMs ?? 0);
      if (wrong !== undefined && !stands) this.wrong.delete(key);
      agents.set(node, stands ? { ...agent, clockSkewMs: wrong.measured - wrong.by } : agent);
    }
    return { ...picture, agents };
  }
}
