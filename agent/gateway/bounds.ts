import type { Server } from "node:https";
import type { Socket } from "node:net";
import { placeOf } from "#protocol/addresses.ts";

/** In all: this node has guests to run. */
export const connectionsMax = 512;
/** An office behind one address has some dozens of browsers with up to six each. */
export const connectionsPerAddress = 200;
/** How long somebody may take, ms, for the handshake, his headers, his body; and how often that is looked at, which wakes the agent each time. */
export const slowest = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 30_000,
};

/** Connections of one address beyond these are dropped before TLS, so that nobody takes all of them. */
export function holdFew(server: Server): void {
  const open = new Map<string, number>();
  server.prependListener("connection", (socket: Socket) => {
    const place = placeOf(socket.remoteAddress ?? "");
    const count = open.get(place) ?? 0;
    if (count >= connectionsPerAddress) {
      socket.destroy();
      return;
    }
    open.set(place, count + 1);
    socket.once("close", () => {
      const left = (open.get(place) ?? 1) - 1;
      if (left > 0) open.set(place, left);
      else open.delete(place);
    });
  });
}
