import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { WebSocket } from "ws";
import { limits } from "#protocol/limits.ts";
import { linkSubprotocol } from "#protocol/version.ts";

export type SocketHandlers = {
  text(text: string): void;
  pong(): void;
  /** Once, and nothing comes after it. 1006: the line broke. */
  closed(code: number): void;
};

/** The connection as a session sees it: a WebSocket, or one end of a pair in memory. */
export interface HubSocket {
  /** SHA-256 of the certificate the hub showed, `AA:BB:…`. */
  readonly fingerprint: string;
  /** What came before is handed over now. */
  start(handlers: SocketHandlers): void;
  send(data: string | Uint8Array): void;
  ping(): void;
  /** 1006 drops the connection without a word. */
  close(code: number, reason?: string): void;
}

export type Connected = { ok: true; socket: HubSocket } | { ok: false; problem: string };

/** Opens the link. Nothing is sent, not even the request, before the certificate's fingerprint is one of `accepts`. */
export async function connectHub(url: string, accepts: readonly string[], signal: AbortSignal): Promise<Connected> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const tls = await openTls(host, port === "" ? 443 : Number(port), signal);
  if (!tls.ok) return { ok: false, problem: `${host}:${port}: ${tls.problem}` };
  const seen = tls.socket.getPeerCertificate().fingerprint256 ?? "none";
  if (!accepts.includes(seen)) {
    tls.socket.destroy();
    return {
      ok: false,
      problem: `the hub's certificate has fingerprint ${seen}, expected ${accepts.join(" or ")}: if the hub was set up anew, update hub.json or join again; else somebody is in between`,
    };
  }
  return upgrade(url, tls.socket, seen, signal);
}

function openTls(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<{ ok: true; socket: TLSSocket } | { ok: false; problem: string }> {
  return new Promise((resolve) => {
    // The pin is stricter than any authority, so the chain and the name in the certificate don't matter, and no list of authorities is loaded.
    const socket = connect({ host, port, rejectUnauthorized: false, ca: [], ...(isIP(host) === 0 ? { servername: host } : {}) });
    const fail = (problem: string) => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      resolve({ ok: false, problem });
    };
    const stop = () => fail("stopped");
    socket.setTimeout(limits.helloWithinMs, () => fail("no answer"));
    socket.once("error", (error) => fail(error.message));
    socket.once("close", () => fail("closed"));
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", stop);
      socket.setTimeout(0);
      socket.removeAllListeners("error").removeAllListeners("close");
      socket.on("error", () => socket.destroy());
      resolve({ ok: true, socket });
    });
  });
}

function upgrade(url: string, tls: TLSSocket, fingerprint: string, signal: AbortSignal): Promise<Connected> {
  const ws = new WebSocket(url, [linkSubprotocol], {
    createConnection: () => tls,
    perMessageDeflate: false,
    maxPayload: limits.messageMaxBytes,
    handshakeTimeout: limits.helloWithinMs,
    followRedirects: false,
  });
  const socket = wrap(ws, fingerprint);
  return new Promise((resolve) => {
    const stop = () => ws.terminate();
    signal.addEventListener("abort", stop, { once: true });
    const settle = (result: Connected) => {
      signal.removeEventListener("abort", stop);
      resolve(result);
    };
    ws.once("open", () => settle({ ok: true, socket }));
    ws.once("error", (error) => settle({ ok: false, problem: `${url}: ${error.message}` }));
    ws.once("close", () => settle({ ok: false, problem: `${url}: closed` }));
  });
}

/** Keeps what comes between the opening and `start`: the hub speaks at once. */
function wrap(ws: WebSocket, fingerprint: string): HubSocket {
  let handlers: SocketHandlers | undefined;
  const early: ((to: SocketHandlers) => void)[] = [];
  const deliver = (event: (to: SocketHandlers) => void) => {
    if (handlers === undefined) early.push(event);
    else event(handlers);
  };
  ws.on("message", (data, isBinary) => {
    const text = isBinary || !Buffer.isBuffer(data) ? "" : data.toString("utf8");
    deliver((to) => to.text(text));
  });
  ws.on("pong", () => deliver((to) => to.pong()));
  ws.on("error", () => undefined); // "close" follows
  ws.on("close", (code) => deliver((to) => to.closed(code)));
  return {
    fingerprint,
    start(to) {
      handlers = to;
      for (const event of early.splice(0)) event(to);
    },
    send: (data) => {
      if (ws.readyState === WebSocket.OPEN) ws.send(data, () => undefined);
    },
    ping: () => {
      if (ws.readyState === WebSocket.OPEN) ws.ping();
    },
    close: (code, reason) => (code === 1006 ? ws.terminate() : ws.close(code, reason)),
  };
}
