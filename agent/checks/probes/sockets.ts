import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** A TCP connection; throws what Node says. Closed when `signal` aborts. */
export function openTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    signal.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.on("error", () => undefined); // whoever reads sees the end
      resolve(socket);
    });
  });
}

/** TLS over a connection, or a new one. The chain is not judged: the test guest sits in a sandbox. */
export function openTls(
  over: { socket: Socket } | { host: string; port: number },
  serverName: string | undefined,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const name = serverName === undefined ? {} : { servername: serverName };
    const socket = connectTls({ ...over, ...name, rejectUnauthorized: false, minVersion: "TLSv1" });
    signal.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed during the handshake")));
    socket.once("secureConnect", () => {
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

/** The first bytes a server sends, until `enough` of them are there or it says no more. */
export function firstBytes(socket: Socket, enough: (bytes: Buffer) => boolean, max = 4096): Promise<Buffer> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const done = () => {
      socket.off("data", take);
      resolve(bytes);
    };
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (enough(bytes) || bytes.length >= max) done();
    };
    socket.on("data", take);
    socket.once("close", done);
    socket.once("end", done);
  });
}
