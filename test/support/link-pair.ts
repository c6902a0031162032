import type { HubSocket, SocketHandlers } from "../../agent/hub-socket.ts";

export type AgentMessage = { text: string } | { binary: Uint8Array };

/** The hub's end of a link in memory. */
export type HubEnd = {
  send(text: string): void;
  close(code: number): void;
  /** How the agent's end was closed; undefined while it is open. */
  closedBy: { side: "agent" | "hub"; code: number } | undefined;
  /** False: the hub is frozen; it answers no ping, and says nothing else. */
  answersPings: boolean;
  /** How often the agent asked whether the hub is there. */
  pings: number;
};

export type HubHandlers = { message(message: AgentMessage): void; closed(code: number): void };

/** Agent and hub, connected in memory. What one end sends, the other hears in order, after the sender's turn. */
export function linkPair(fingerprint: string, hub: HubHandlers): { agent: HubSocket; hub: HubEnd } {
  let handlers: SocketHandlers | undefined;
  const early: ((to: SocketHandlers) => void)[] = [];
  const toAgent = (event: (to: SocketHandlers) => void) =>
    queueMicrotask(() => {
      if (handlers === undefined) early.push(event);
      else event(handlers);
    });
  const end: HubEnd = {
    send: (text) => {
      if (end.answersPings) toAgent((to) => to.text(text));
    },
    close: (code) => close("hub", code),
    closedBy: undefined,
    answersPings: true,
    pings: 0,
  };
  const close = (side: "agent" | "hub", code: number) => {
    if (end.closedBy !== undefined) return;
    end.closedBy = { side, code };
    toAgent((to) => to.closed(code));
    queueMicrotask(() => hub.closed(code));
  };
  const agent: HubSocket = {
    fingerprint,
    start(to) {
      handlers = to;
      for (const event of early.splice(0)) event(to);
    },
    send(data) {
      if (end.closedBy !== undefined) return;
      const message = typeof data === "string" ? { text: data } : { binary: data };
      queueMicrotask(() => hub.message(message));
    },
    ping() {
      end.pings++;
      if (end.answersPings) toAgent((to) => to.pong());
    },
    close: (code) => close("agent", code),
  };
  return { agent, hub: end };
}
