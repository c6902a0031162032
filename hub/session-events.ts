import type { MessageOf } from "#protocol/messages.ts";
import type { AgentId } from "./core/series.ts";
import type { Fleet } from "./fleet.ts";
import type { Journal } from "./journal.ts";
import type { LoginAsks } from "./link/login-asks.ts";
import type { LinkServer } from "./link/server.ts";
import type { SessionEvents } from "./link/session.ts";
import { describeError } from "./log.ts";
import type { Log } from "./ports.ts";
import type { TaskBook } from "./task-book.ts";
import type { Troubles } from "./troubles.ts";

export type SessionEventPorts = {
  fleet: Fleet;
  tasks: TaskBook;
  journal: Journal;
  troubles: Troubles;
  log: Log;
  /** Late, because the link needs these events first. */
  link(): Pick<LinkServer, "register" | "unregister">;
  welcomed(agent: AgentId): void;
  told(agent: AgentId, body: MessageOf<"outlet.told">["body"]): void;
  logins: Pick<LoginAsks, "answered" | "lost">;
  restore: Pick<SessionEvents, "operation" | "backups" | "inventory">;
};

/** What the hub does on what agents' sessions tell. */
export function sessionEvents({
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
  return {
    opened(session, info) {
      link().register(info.agent, session);
      return fleet.opened(info);
    },
    closed(session, agent, why) {
      if (agent === undefined || !link().unregister(agent, session)) return;
      fleet.closed(agent, why);
      logins.lost(agent);
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
      if (code === "key-changed") journal.emitRarely(node, "agent.key-changed", { node }, place);
      else journal.emitRarely(`${node} ${code}`, "agent.refused", { node, problem }, place);
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
