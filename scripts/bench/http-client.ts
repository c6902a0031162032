import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export type Answer = { status: number; body: Buffer };

/** Connections that wait to be used again; more are closed. */
const idleMax = 16;
const headEnd = Buffer.from("\r\n\r\n");

/**
 * Asks one server on 127.0.0.1 over connections that stay open, as little as HTTP/1.1 needs: of what a question takes, the server should be
 * what is measured, and not this side of it. The same for the hub (TLS) and for its peers (plain).
 */
export class HttpClient {
  private readonly idle: Connection[] = [];

  constructor(
    private readonly port: number,
    private readonly secure: boolean,
  ) {}

  async request(
    method: "GET" | "POST",
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Uint8Array,
  ): Promise<Answer> {
    const connection = this.idle.pop() ?? (await this.open());
    const answer = await connection.ask(this.headOf(method, path, headers, body), body);
    if (connection.isOpen && this.idle.length < idleMax) this.idle.push(connection);
    else connection.close();
    return answer;
  }

  close(): void {
    for (const connection of this.idle.splice(0)) connection.close();
  }

  private headOf(method: string, path: string, headers: Readonly<Record<string, string>>, body: Uint8Array | undefined): string {
    const lines = [`${method} ${path} HTTP/1.1`, `host: 127.0.0.1:${this.port}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (body !== undefined || method === "POST") lines.push(`content-length: ${body?.length ?? 0}`);
    return `${lines.join("\r\n")}\r\n\r\n`;
  }

  private open(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const place = { host: "127.0.0.1", port: this.port, noDelay: true };
      const socket: Socket = this.secure ? connectTls({ ...place, rejectUnauthorized: false }) : connectPlain(place);
      socket.once("error", reject);
      socket.once(this.secure ? "secureConnect" : "connect", () => {
        socket.off("error", reject);
        const connection: Connection = new Connection(socket, () => {
          const index = this.idle.indexOf(connection);
          if (index >= 0) this.idle.splice(index, 1);
        });
        resolve(connection);
      });
    });
  }
}

type Waiting = { resolve(answer: Answer): void; reject(error: Error): void };

/** One question at a time. */
class Connection {
  private readonly reader = new AnswerReader();
  private waiting: Waiting | undefined;
  isOpen = true;

  constructor(
    private readonly socket: Socket,
    closed: () => void,
  ) {
    socket.on("data", (bytes: Buffer) => this.take(bytes));
    socket.on("error", (error) => this.end(error));
    socket.on("close", () => {
      closed();
      this.end(new Error("the server closed the connection"));
    });
  }

  ask(head: string, body: Uint8Array | undefined): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (body === undefined) this.socket.write(head, "latin1");
      else this.socket.write(Buffer.concat([Buffer.from(head, "latin1"), body]));
    });
  }

  close(): void {
    this.isOpen = false;
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    try {
      const answer = this.reader.add(bytes);
      if (answer === undefined) return;
      if (this.reader.closes) this.isOpen = false;
      const { waiting } = this;
      this.waiting = undefined;
      waiting?.resolve(answer);
    } catch (error) {
      this.end(error as Error);
      this.socket.destroy();
    }
  }

  private end(error: Error): void {
    this.isOpen = false;
    this.waiting?.reject(error);
    this.waiting = undefined;
  }
}

type Head = { status: number; start: number; length: number | "chunked" };

/** Reads answers one after the other, with a length or in chunks, as RFC 9112 has them. Any other framing throws. */
export class AnswerReader {
  private buffer = Buffer.alloc(64 << 10);
  private filled = 0;
  private head: Head | undefined;
  /** Where the next chunk's size stands, and the chunks before it. */
  private at = 0;
  private chunks: [from: number, to: number][] = [];
  /** The server closes the connection behind this answer. */
  closes = false;

  /** The answer, when these bytes are its last ones. */
  add(bytes: Uint8Array): Answer | undefined {
    if (this.filled + bytes.length > this.buffer.length) this.grow(this.filled + bytes.length);
    this.buffer.set(bytes, this.filled);
    this.filled += bytes.length;
    this.head ??= this.readHead();
    const { head } = this;
    if (head === undefined) return undefined;
    const body = head.length === "chunked" ? this.chunkedBody() : this.plainBody(head.start, head.length);
    if (body === undefined) return undefined;
    this.filled = 0;
    this.head = undefined;
    this.chunks = [];
    return { status: head.status, body };
  }

  private grow(least: number): void {
    const larger = Buffer.alloc(Math.max(least, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.filled);
    this.buffer = larger;
  }

  private readHead(): Head | undefined {
    const end = this.buffer.subarray(0, this.filled).indexOf(headEnd);
    if (end < 0) return undefined;
    const text = this.buffer.toString("latin1", 0, end);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no answer of HTTP/1.1: ${text.slice(0, 80)}`);
    this.closes = /^connection: *close$/im.test(text);
    const start = end + headEnd.length;
    this.at = start;
    if (status === 204 || status === 304) return { status, start, length: 0 };
    if (/^transfer-encoding: *chunked$/im.test(text)) return { status, start, length: "chunked" };
    const length = /^content-length: *(\d+)$/im.exec(text)?.[1];
    if (length === undefined) throw new Error("an answer without a length");
    return { status, start, length: Number(length) };
  }

  private plainBody(start: number, length: number): Buffer | undefined {
    return this.filled >= start + length ? Buffer.from(this.buffer.subarray(start, start + length)) : undefined;
  }

  private chunkedBody(): Buffer | undefined {
    for (;;) {
      const lineEnd = this.buffer.indexOf("\r\n", this.at, "latin1");
      if (lineEnd < 0 || lineEnd + 2 > this.filled) return undefined;
      const size = Number.parseInt(this.buffer.toString("latin1", this.at, lineEnd), 16);
      if (Number.isNaN(size)) throw new Error("a chunk without a size");
      const next = lineEnd + 2 + size + 2;
      if (next > this.filled) return undefined;
      if (size === 0) return Buffer.concat(this.chunks.map(([from, to]) => this.buffer.subarray(from, to)));
      this.chunks.push([lineEnd + 2, lineEnd + 2 + size]);
      this.at = next;
    }
  }
}
