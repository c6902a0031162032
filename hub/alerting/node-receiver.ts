import { createHash } from "node:crypto";
import type { MessageOf } from "#protocol/messages.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { WayResult } from "#protocol/outlet.ts";
import type { Listener } from "../core/agent-alerts.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import type { SendResult } from "../core/delivery.ts";
import { type NodeReceiver, type NodeTask, nodeResult, nodeTasks, waysOf } from "../core/node-delivery.ts";
import type { AgentId } from "../core/series.ts";
import { after, type Clock } from "../ports.ts";
import type { NodeOutlet } from "../senders/send.ts";

/** A hook may take 30 s, and four of them run at once: nobody has more than a dozen. */
const answerWithinMs = 100_000;

export type NodeReceiverPorts = {
  clock: Clock;
  connected(): Listener[];
  /** False: it has no session, or one of a version that can't be asked. */
  tell(agent: AgentId, body: MessageOf<"outlet.tell">["body"]): boolean;
};

/** Delivery to the nodes' own outlets, by their agents, which say what came of it. */
export class NodeOutlets implements NodeOutlet {
  private readonly waiting = new Map<string, (results: readonly WayResult[]) => void>();

  constructor(private readonly ports: NodeReceiverPorts) {}

  async send(notification: Notification, receiver: NodeReceiver): Promise<SendResult> {
    const { tasks, deaf } = nodeTasks(notification, this.ports.connected());
    const isTest = notification.kind === "test";
    const answers = await Promise.all(
      tasks.map(async (task) => ({ agent: task.agent, results: await this.ask(task, notification.id, receiver, isTest) })),
    );
    return nodeResult(answers, deaf, isTest);
  }

  /** An agent answered. */
  told(agent: AgentId, { id, results }: MessageOf<"outlet.told">["body"]): void {
    this.waiting.get(waitingKey(agent, id))?.(results);
  }

  private ask(
    { agent, alerts }: NodeTask,
    notification: string,
    receiver: NodeReceiver,
    test: boolean,
  ): Promise<readonly WayResult[] | undefined> {
    // An alert that moved to another node between two attempts makes it another request there.
    const told = alerts.map((alert) => `${alert.id} ${alert.firedAt} ${alert.resolvedAt ?? ""}`);
    const id = createHash("sha256")
      .update([notification, ...told].join("\n"))
      .digest("hex");
    const key = waitingKey(agent, id);
    return new Promise((resolve) => {
      const giveUp = after(this.ports.clock, answerWithinMs, () => finish(undefined));
      const finish = (results: readonly WayResult[] | undefined) => {
        giveUp();
        this.waiting.delete(key);
        resolve(results);
      };
      this.waiting.set(key, finish);
      if (!this.ports.tell(agent, { id, test, ways: waysOf(receiver), alerts })) finish(undefined);
    });
  }
}

const waitingKey = ({ cluster, node }: AgentId, id: string) => `${cluster}/${node} ${id}`;

/** Agents with a session now, and which of them speaks for its cluster. */
export const listenersOf = (pictures: readonly ClusterPicture[]): Listener[] =>
  pictures.flatMap(({ cluster, agents }) =>
    [...agents.values()]
      .filter(({ state }) => state === "connected")
      .map(({ node, duties }) => ({ agent: { cluster, node }, hasClusterDuty: duties.includes("cluster") })),
  );
