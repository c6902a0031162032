import type { HubParts } from "./assembly.ts";
import type { Certificates } from "./certificates.ts";
import { readJoinKey } from "./cli/setup.ts";
import { FrontDesk } from "./link/front-desk.ts";
import { Gate } from "./link/gate.ts";
import { LoginAsks } from "./link/login-asks.ts";
import { LinkServer } from "./link/server.ts";
import { type SessionEventPorts, sessionEvents } from "./session-events.ts";
import { knownCluster, partFromJoined } from "./succession.ts";

/** What agents' sessions tell, and what they are let in by. */
type LinkParts = Pick<SessionEventPorts, "fleet" | "tasks" | "journal" | "troubles" | "restore" | "welcomed" | "told"> & {
  certificates: Pick<Certificates, "fingerprints">;
};

export type AgentLink = { link: LinkServer; gate: Gate; loginAsks: LoginAsks };

/** Everything between agents' sockets and the hub; nothing listens yet. */
export function openAgentLink({ config, clock, log, state, series }: HubParts, parts: LinkParts): AgentLink {
  const { certificates, ...told } = parts;
  partFromJoined(state);
  const gate = new Gate({
    state,
    fingerprints: () => certificates.fingerprints(),
    joinKey: () => readJoinKey(config.state),
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    sessions: {
      isHere: (agent) => link.isHere(agent),
      namedBy: (agent) => link.namedBy(agent),
      endNamed: (named) => link.endNamed(named),
    },
  });
  const loginAsks: LoginAsks = new LoginAsks({
    clock,
    send: (agent, type, body) => link.sendLogin(agent, type, body),
    known: (named) => knownCluster(state, named),
  });
  const desk = new FrontDesk({
    // The events behind what they tell: nobody hears of what may yet be undone.
    together: (work) => told.journal.together(() => state.together(work)),
    monotonicMs: () => clock.monotonicMs(),
  });
  const link: LinkServer = new LinkServer({
    clock,
    sink: series.sink,
    admit: (hello, nonce, address) => gate.admit(hello, nonce, address),
    takeNextKey: (...offer) => gate.takeNextKey(...offer),
    desk,
    events: sessionEvents({ ...told, clock, desk, log, logins: loginAsks, link: () => link }),
  });
  return { link, gate, loginAsks };
}
