import { nodeKey } from "#protocol/ids.ts";
import type { MessageOf } from "#protocol/messages.ts";
import {
  BoundedMap,
  type Bucket,
  type BucketRate,
  type Failures,
  type LockRule,
  stepFailures,
  takeToken,
} from "./core/limits.ts";
import type { AgentId } from "./core/series.ts";
import type { Fleet } from "./fleet.ts";
import type { Journal } from "./journal.ts";
import type { FrontDesk } from "./link/front-desk.ts";
import type { LoginAsks } from "./link/login-asks.ts";
import type { LinkServer } from "./link/server.ts";
import type { SessionEvents } from "./link/session-ports.ts";
import { describeError } from "./log.ts";
import type { Clock, Log } from "./ports.ts";
import type { TaskBook } from "./task-book.ts";
import type { Troubles } from "./troubles.ts";

/** Hellos that come to nothing are events at most so often: whoever reaches the port can send as many as he likes, each of another name. */
const refusalRate: BucketRate = { perSec: 0.2, burst: 100 };

/** So many living sessions that a newer one put an end to are no chance. */
const doubleRule: LockRule = { failures: 4, withinMs: 600_000, lockMs: 0 };

export type SessionEventPorts = {
  clock: Pick<Clock, "monotonicMs">;
  desk: Pick<FrontDesk, "enter">;
  fleet: Fleet;
  tasks: TaskBook;
  journal: Journal;
  troubles: Troubles;
  log: Log;
  /** Late, because the link needs these events first. */
  link(): Pick<LinkServer, "register" | "unregister" | "isHere">;
  welcomed(agent: AgentId): void;
  told(agent: AgentId, body: MessageOf<"outlet.told">["body"]): void;
  logins: Pick<LoginAsks, "answered" | "lost">;
  restore: Pick<SessionEvents, "operation" | "backups" | "inventory">;
};

/** What the hub does on what agents' sessions tell. */
export function sessionEvents({
  clock,
  desk,
  fleet,
  tasks,
  journal,
  troubles,
  log,
  link,
  welcomed,
  told,
  logins,
  restore,
}: SessionEventPorts): SessionEvents {
  let refusals: Bucket | undefined;
  const doubles = new BoundedMap<string, Failures>(1000);
  /** Behind those who came before: where a switch fails, all agents go in one turn of the event loop, and the disk is synced once for all of them. */
  const leave = (close: () => void) => {
    let isClosed = false;
    const once = () => {
      if (!isClosed) close();
      isClosed = true;
    };
    desk.enter({ decide: once, tell: once });
  };
  return {
    opened(session, info) {
      link().register(info.agent, session);
      return fleet.opened(info);
    },
    doubled({ cluster, node }, addresses) {
      const key = `${cluster}/${node}`;
      const turns = stepFailures(doubles.get(key), doubleRule, clock.monotonicMs());
      doubles.set(key, turns);
      if (turns.count !== doubleRule.failures) return;
      journal.emit("agent.doubled", { node, addresses: [...addresses] }, { cluster, node, entity: nodeKey(node) });
    },
    closed(session, agent, why) {
      if (agent === undefined || !link().unregister(agent, session)) return;
      logins.lost(agent);
      // Its next session may have been let in while this end waited behind its hello.
      leave(() => {
        if (!link().isHere(agent)) fleet.closed(agent, why);
      });
    },
    welcomed,
    told,
    operation: (agent, message) => restore.operation(agent, message),
    backups: (agent, backups) => restore.backups(agent, backups),
    loginAnswered: (agent, message) => logins.answered(agent, message),
    inventory(agent, inventory) {
      fleet.inventory(agent, inventory);
      restore.inventory(agent, inventory);
    },
    tasks: (agent, reports, first) => tasks.report(agent, reports, first),
    clock: (agent, skewMs) => fleet.measured(agent, skewMs),
    refused({ node, clusterId }, code, problem) {
      // Nothing of this hello was proven: it may name any node.
      const place = { cluster: clusterId, node };
      if (code === "key-changed") {
        journal.emitRarely(node, "agent.key-changed", { node }, place); // of a node that is known: there are few
        return;
      }
      const { bucket, waitMs } = takeToken(refusals, refusalRate, clock.monotonicMs());
      refusals = bucket;
      if (waitMs === 0) journal.emitRarely(`${node} ${code}`, "agent.refused", { node, problem }, place);
    },
    problem: (reason) => troubles.count(reason),
    ingestRefused(problem) {
      if (troubles.ingestRefused(problem)) journal.emit("ingest.refused", { problem });
    },
    ingestAccepted() {
      if (troubles.ingestAccepted()) journal.emit("ingest.resumed", {});
    },
    failed: (error) => log(3, `an agent's session failed: ${describeError(error)}`),
  };
}
