import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { plainAddress } from "#protocol/addresses.ts";
import type { ClusterId } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Duty, MessageOf } from "#protocol/messages.ts";
import { linkSubprotocol } from "#protocol/version.ts";
import { type AgentId, agentKey } from "../core/series.ts";
import { after } from "../ports.ts";
import type { OperationType } from "../proof/operations.ts";
import type { SendLogin } from "./login-asks.ts";
import { MessageTurns } from "./message-turns.ts";
import { AgentSession } from "./session.ts";
import type { SessionPorts } from "./session-ports.ts";

/** Sessions one hub holds: 200 nodes, and those that reconnect before their old session is known to be dead. */
const sessionsMax = 1000;
/**
 * An agent that said nothing for so long is asked, and one that doesn't answer for as long again is dead: a node that lost power sends no FIN. Who
 * sends samples is not asked, for an answer costs either side a wake-up.
 */
const lookEveryMs = 10_000;
/** Bytes queued towards an agent that doesn't read. Acknowledgements are small: this much means that it never will. */
const queuedMax = 4 << 20;

const linkPath = "/agent";

/** Agents' WebSockets on the hub's https port. */
export class LinkServer {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.messageMaxBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(linkSubprotocol) ? linkSubprotocol : false),
  });
  private readonly sessions = new Map<AgentSession, WebSocket>();
  private readonly byAgent = new Map<string, AgentSession>();
  /** Those that a newer one put an end to; to be called when one turns out to have been alive. */
  private readonly replaced = new WeakMap<AgentSession, () => void>();
  private readonly turns = new MessageTurns(
    () => this.sessions.values(),
    () => performance.now(),
  );
  private stopping = false;
  private stopLooking: () => void = () => undefined;

  constructor(private readonly ports: SessionPorts) {
    this.scheduleLook();
  }

  /** Takes the server's upgrades over; anything but the link's path and subprotocol is refused. */
  attach(server: Pick<Server, "on">): void {
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on("error", () => socket.destroy());
      const refusal = this.upgradeProblem(request);
      if (refusal !== undefined) {
        rejectUpgrade(socket, refusal);
        return;
      }
      this.sockets.handleUpgrade(request, socket, head, (webSocket) => this.connected(webSocket, request));
    });
  }

  /** The session of this agent that counts; an older one is told and closed. */
  register(agent: AgentId, session: AgentSession): void {
    const older = this.byAgent.get(agentKey(agent));
    this.byAgent.set(agentKey(agent), session);
    if (older === undefined) return;
    this.replaced.set(older, () => this.ports.events.doubled(agent, [...new Set([older.address, session.address])]));
    older.refuse("already-connected");
  }

  /** True when this was the agent's present session and not one that a newer had replaced. */
  unregister(agent: AgentId, session: AgentSession): boolean {
    if (this.byAgent.get(agentKey(agent)) !== session) return false;
    this.byAgent.delete(agentKey(agent));
    return true;
  }

  isHere(agent: AgentId): boolean {
    return this.byAgent.has(agentKey(agent));
  }

  /** Its cluster as it names it; undefined: it is not connected. */
  namedBy(agent: AgentId): ClusterId | undefined {
    return this.byAgent.get(agentKey(agent))?.named;
  }

  /** Ends the sessions of agents that name their cluster so; they come again. */
  endNamed(named: ClusterId): void {
    for (const session of [...this.byAgent.values()]) if (session.named === named) session.refuse("already-connected");
  }

  sendDuties(agent: AgentId, duties: readonly Duty[], speakers: readonly string[]): void {
    this.byAgent.get(agentKey(agent))?.sendDuties(duties, speakers);
  }

  sendAlerts(agent: AgentId, body: MessageOf<"alerts">["body"]): void {
    this.byAgent.get(agentKey(agent))?.sendAlerts(body);
  }

  sendPins(agent: AgentId, fingerprints: readonly string[]): void {
    this.byAgent.get(agentKey(agent))?.sendPins(fingerprints);
  }

  sendPinsToAll(fingerprints: readonly string[]): void {
    for (const session of this.byAgent.values()) session.sendPins(fingerprints);
  }

  /** Asks it for a new key. False: it has no session that can be asked. */
  renewKey(agent: AgentId): boolean {
    return this.byAgent.get(agentKey(agent))?.renewKey() ?? false;
  }

  /** False: it has no session that can be asked. */
  sendTell(agent: AgentId, body: MessageOf<"outlet.tell">["body"]): boolean {
    return this.byAgent.get(agentKey(agent))?.sendTell(body) ?? false;
  }

  /** False: it has no session that can be asked. */
  sendLogin: SendLogin = (agent, type, body) => this.byAgent.get(agentKey(agent))?.sendLogin(type, body) ?? false;

  takesOperations(agent: AgentId): boolean {
    return this.byAgent.get(agentKey(agent))?.takesOperations ?? false;
  }

  /** False: it has no session that can be given operations. */
  sendOperation<T extends OperationType>(agent: AgentId, type: T, body: MessageOf<T>["body"]): boolean {
    return this.byAgent.get(agentKey(agent))?.sendOperation(type, body) ?? false;
  }

  revoke(agent: AgentId): void {
    this.byAgent.get(agentKey(agent))?.refuse("revoked");
  }

  get count(): number {
    return this.byAgent.size;
  }

  /** Lets what was taken become durable and acknowledged, for at most `withinMs`, and closes every session. */
  async drain(withinMs: number): Promise<void> {
    this.stopping = true;
    this.stopLooking();
    const ended = [...this.sessions].map(async ([session, socket]) => {
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      await session.drain();
      await closed;
    });
    let giveUp: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      giveUp = after(this.ports.clock, withinMs, resolve);
    });
    await Promise.race([Promise.all(ended), late]);
    giveUp();
    for (const [session, socket] of this.sessions) {
      session.end(1012, "the hub stops");
      socket.terminate();
    }
    this.sockets.close();
  }

  private upgradeProblem(request: IncomingMessage): string | undefined {
    if (this.stopping) return "503 Service Unavailable";
    const path = (request.url ?? "").split("?")[0];
    if (path !== linkPath) return "404 Not Found";
    const offered = String(request.headers["sec-websocket-protocol"] ?? "")
      .split(",")
      .map((one) => one.trim());
    if (!offered.includes(linkSubprotocol)) return "400 Bad Request";
    return this.sessions.size >= sessionsMax ? "503 Service Unavailable" : undefined;
  }

  private connected(webSocket: WebSocket, request: IncomingMessage): void {
    const address = plainAddress(request.socket.remoteAddress ?? "");
    const send = (text: string) => {
      if (webSocket.readyState !== webSocket.OPEN) return;
      if (webSocket.bufferedAmount > queuedMax) webSocket.terminate();
      else webSocket.send(text);
    };
    const session = new AgentSession(
      { address, send, close: (code, reason) => closeSocket(webSocket, code, reason) },
      this.ports,
    );
    this.sessions.set(session, webSocket);
    webSocket.on("message", (data: Buffer, isBinary) => {
      this.heard.add(webSocket);
      session.receive(isBinary ? data : data.toString("utf8"));
      this.turns.took(webSocket);
    });
    for (const event of ["ping", "pong"]) webSocket.on(event, () => this.heard.add(webSocket));
    this.heard.add(webSocket);
    webSocket.on("error", (error: Error & { code?: string }) => {
      this.ports.events.problem(error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? "oversized" : "websocket");
    });
    webSocket.on("close", (code) => {
      this.sessions.delete(session);
      this.heard.delete(webSocket);
      this.asked.delete(webSocket);
      session.lost(`connection closed (${code})`);
      // Answered: a machine that comes again is no more at the other end of what it had before.
      if (code !== 1006) this.replaced.get(session)?.();
    });
  }

  /** Since the newest look. */
  private readonly heard = new Set<WebSocket>();
  private readonly asked = new Set<WebSocket>();

  private scheduleLook(): void {
    this.stopLooking = after(this.ports.clock, lookEveryMs, () => {
      for (const socket of this.sessions.values()) {
        if (this.heard.delete(socket)) this.asked.delete(socket);
        else if (this.asked.has(socket)) socket.terminate();
        else {
          this.asked.add(socket);
          socket.ping();
        }
      }
      this.scheduleLook();
    });
  }
}

/** A peer that doesn't answer the close is cut off by ws after 30 s. Reasons are at most 123 bytes (RFC 6455). */
function closeSocket(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason.slice(0, 120));
}

function rejectUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
