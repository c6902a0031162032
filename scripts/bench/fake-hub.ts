import { randomBytes, X509Certificate } from "node:crypto";
import { createServer } from "node:https";
import { generate } from "selfsigned";
import { WebSocketServer } from "ws";
import { limits } from "#protocol/limits.ts";
import { encodeMessage, parseMessageText } from "#protocol/messages.ts";
import { parseRecordHead } from "#protocol/records.ts";
import { linkSubprotocol, linkVersions } from "#protocol/version.ts";

/** A hub that admits everybody and only looks at the clock: when an agent's first frame was there, to the millisecond. */
export class FakeHub {
  private waiting: ((atMs: number) => void)[] = [];

  private constructor(
    readonly url: string,
    readonly fingerprint: string,
    private readonly end: () => void,
  ) {}

  static async start(): Promise<FakeHub> {
    const pem = await generate([{ name: "commonName", value: "fake hub" }], {
      keyType: "ec",
      curve: "P-256",
      algorithm: "sha256",
    });
    const server = createServer({ key: pem.private, cert: pem.cert });
    const sockets = new WebSocketServer({ server, handleProtocols: () => linkSubprotocol, maxPayload: limits.messageMaxBytes });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    const hub = new FakeHub(`wss://127.0.0.1:${address.port}/agent`, new X509Certificate(pem.cert).fingerprint256, () => {
      for (const client of sockets.clients) client.terminate();
      server.close();
    });
    sockets.on("connection", (socket) => {
      const now = Date.now();
      socket.send(encodeMessage("challenge", { nonce: randomBytes(32).toString("base64"), ...linkVersions, hub: "fake", now }));
      socket.on("message", (data: Buffer, isBinary) => {
        if (isBinary) hub.record(data);
        else if (isHello(data.toString("utf8"))) {
          socket.send(encodeMessage("welcome", { version: linkVersions.max, lastSeq: 0, now, duties: [] }));
        }
      });
    });
    return hub;
  }

  /** Resolves with performance.now() of the next frame. */
  firstFrame(): Promise<number> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  stop(): void {
    this.end();
  }

  private record(bytes: Uint8Array): void {
    const head = parseRecordHead(bytes);
    if (!head.ok || head.value.kind !== "frame") return;
    for (const resolve of this.waiting.splice(0)) resolve(performance.now());
  }
}

function isHello(text: string): boolean {
  const parsed = parseMessageText(text, "agent", linkVersions.max);
  return parsed.ok && parsed.message.type === "hello";
}
