import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { generate } from "selfsigned";

/** Servers as a restored guest would run them, on ports of their own, gone when the test ends. */

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

export const startHttp = (t: TestContext, answer: RequestListener) => listen(t, createHttp({ keepAlive: false }, answer));

export async function startHttps(t: TestContext, answer: RequestListener, validTo?: Date): Promise<number> {
  const dates = validTo === undefined ? {} : { notBeforeDate: new Date(validTo.getTime() - 86_400_000), notAfterDate: validTo };
  const { cert, private: key } = await generate([{ name: "commonName", value: "shop.example.org" }], { keyType: "ec", ...dates });
  return listen(t, createHttps({ cert, key }, answer));
}

/** Speaks as `talk` does on each connection. */
export function startTcp(t: TestContext, talk: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    talk(socket);
  });
  return listen(t, server);
}

/** Answers `SSLRequest` with `N` and the startup message with `reply`. */
export function startPostgresql(t: TestContext, reply: Buffer): Promise<number> {
  return startTcp(t, (socket) => {
    socket.once("data", () => {
      socket.write("N");
      socket.once("data", () => socket.end(reply));
    });
  });
}

export function postgresqlError(state: string, text: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${state}\0M${text}\0\0`);
  const head = Buffer.from([0x45, 0, 0, 0, 0]);
  head.writeUInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, fields]);
}

export function mysqlPacket(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([payload.length & 255, payload.length >> 8, 0, 0]), payload]);
}

/** A DNS server that knows one name; for any other it answers with `rcode`. */
export async function startDns(t: TestContext, name: string, address: string, rcode = 3): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (question, { port, address: from }) => {
    let at = 12;
    const labels: string[] = [];
    while (question[at] !== 0) {
      labels.push(question.toString("latin1", at + 1, at + 1 + (question[at] as number)));
      at += 1 + (question[at] as number);
    }
    const known = labels.join(".").toLowerCase() === name && question[at + 2] === 1;
    const head = Buffer.from(question.subarray(0, at + 5));
    head.writeUInt16BE(0x8580 | (labels.join(".").toLowerCase() === name ? 0 : rcode), 2);
    head.writeUInt16BE(known ? 1 : 0, 6);
    head.writeUInt32BE(0, 8);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)]);
    socket.send(known ? Buffer.concat([head, record]) : head, port, from);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return socket.address().port;
}
