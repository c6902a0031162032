import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export type Received = { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer };
export type Answer = { status: number; headers?: Record<string, string>; body?: string };

/** A server that keeps what is posted to it and answers as told. */
export class MessageServer {
  readonly received: Received[] = [];
  /** Answers of the next requests; then `usual`. */
  readonly answers: Answer[] = [];
  usual: Answer = { status: 200, body: "ok" };
  url = "";
  private readonly waiters: { count: number; resolve: () => void }[] = [];
  private readonly server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    this.received.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers, body });
    const { status, headers = {}, body: text = "" } = this.answers.shift() ?? this.usual;
    response.writeHead(status, headers).end(text);
    for (const waiter of this.waiters) if (this.received.length >= waiter.count) waiter.resolve();
  });

  static async start(t: TestContext): Promise<MessageServer> {
    const server = new MessageServer();
    await server.listen(0);
    t.after(() => server.close());
    return server;
  }

  /** Resolves once so many requests came in all. */
  until(count: number): Promise<void> {
    if (this.received.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ count, resolve }));
  }

  /** JSON of request `index`; negative: from the end. */
  json(index = -1): Record<string, unknown> & Record<string, never> {
    return JSON.parse(this.received.at(index)?.body.toString() ?? "null");
  }

  /** Nobody answers until it listens again on the same port. */
  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  async listenAgain(): Promise<void> {
    await this.listen(Number(new URL(this.url).port));
  }

  private async listen(port: number): Promise<void> {
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}
