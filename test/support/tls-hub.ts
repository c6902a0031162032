import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { generate } from "selfsigned";
import { WebSocketServer } from "ws";
import { linkSubprotocol } from "#protocol/version.ts";
import { LinkHub } from "./link-hub.ts";

/** A LinkHub behind TLS and a real WebSocket, on a port of its own; gone when the test ends. */
export async function startTlsHub(
  t: TestContext,
): Promise<{ hub: LinkHub; url: string; fingerprint: string; requests: () => number }> {
  const { cert, private: key } = await generate([{ name: "commonName", value: "proven-hub" }], { keyType: "ec" });
  const { fingerprint256 } = new X509Certificate(cert);
  const hub = new LinkHub(fingerprint256);
  let requests = 0;
  const server = createServer({ cert, key }, (_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({
    server,
    path: "/agent",
    perMessageDeflate: false,
    handleProtocols: () => linkSubprotocol,
  });
  server.on("upgrade", () => requests++);
  sockets.on("connection", (socket) => {
    const hear = hub.accept({
      send: (text) => socket.send(text),
      close: (code) => (code === 1006 ? socket.terminate() : socket.close(code)),
    });
    socket.on("message", (data: Buffer, isBinary) =>
      hear(isBinary ? { binary: new Uint8Array(data) } : { text: data.toString("utf8") }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { hub, url: `wss://127.0.0.1:${port}/agent`, fingerprint: fingerprint256, requests: () => requests };
}
