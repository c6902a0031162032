import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { Server as NetServer, Socket } from "node:net";
import { ConnectionBook, type ConnectionBounds, placeOfPeer } from "./core/connections.ts";

/** Bounds of the hub's port, ms. They hold before anybody has said who he is. */
export type ServerBounds = ConnectionBounds & {
  /** TLS has to be agreed within this time. */
  handshakeMs: number;
  /** From the first byte of a request, or the handshake, to the end of its headers. */
  headersMs: number;
  /** To the end of its body. */
  requestMs: number;
  keepAliveMs: number;
  /** How often the two above are looked at. */
  checkEveryMs: number;
};

/**
 * 200 nodes have a link and up to 64 connections of their gateway each, of which few are in use; a site behind one address has some dozens of
 * browsers. In all less than the open files that systemd grants (`LimitNOFILE` in systemd/proven-hub.service), so that stores and logs have theirs.
 */
export const serverBounds: ServerBounds = {
  total: 4000,
  perPlace: 500,
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 15_000,
  checkEveryMs: 5_000,
};

/** The hub's https port: what is slow, or too much from one place, is cut off, and the others are served on. */
export function createHubServer(
  certificate: { cert: string; key: string },
  answer: RequestListener,
  bounds: ServerBounds = serverBounds,
  placeFor: (address: string) => string = placeOfPeer,
): Server {
  const { cert, key } = certificate;
  const server = createServer(
    {
      cert,
      key,
      minVersion: "TLSv1.2",
      handshakeTimeout: bounds.handshakeMs,
      headersTimeout: bounds.headersMs,
      requestTimeout: bounds.requestMs,
      keepAliveTimeout: bounds.keepAliveMs,
      connectionsCheckingInterval: bounds.checkEveryMs,
    },
    answer,
  );
  server.maxHeadersCount = 64;
  const book = new ConnectionBook(bounds);
  // Before TLS: a handshake costs more than a refusal.
  server.prependListener("connection", (socket: Socket) => {
    const address = socket.remoteAddress;
    const place = placeFor(address ?? "");
    // Without an address it is gone already.
    if (address === undefined || !book.enter(place)) {
      socket.destroy();
      return;
    }
    socket.once("close", () => book.leave(place));
  });
  server.on("tlsClientError", (_, socket) => socket.destroy()); // scanners, browsers that don't know the certificate, silence
  return server;
}

/** Resolves when `server` listens. Where the kernel has no IPv6, `::` is all addresses of IPv4. @throws what listening threw (`EADDRINUSE` …). */
export async function listen(server: NetServer, where: { port: number; host: string }): Promise<void> {
  try {
    await tryToListen(server, where);
  } catch (error) {
    if (where.host !== "::" || (error as NodeJS.ErrnoException).code !== "EAFNOSUPPORT") throw error;
    await tryToListen(server, { ...where, host: "0.0.0.0" });
  }
}

function tryToListen(server: NetServer, { port, host }: { port: number; host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, ipv6Only: false }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
