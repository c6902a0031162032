import { type IncomingMessage, request } from "node:http";
import { request as requestTls } from "node:https";
import { isIP } from "node:net";
import type { CheckOf } from "../network-checks.ts";
import { failed, passed, quoted, type Verdict } from "../verdict.ts";
import { openTcp, openTls } from "./sockets.ts";

const bodyMaxBytes = 1 << 20;

export async function probeTcp({ port }: CheckOf<"tcp">, address: string, signal: AbortSignal): Promise<Verdict> {
  (await openTcp(address, port, signal)).destroy();
  return passed(`port ${port} takes connections`);
}

/** Without a wanted status any of 200 to 399 will do. Redirections are not followed: they lead elsewhere. */
export async function probeHttp(check: CheckOf<"http">, address: string, signal: AbortSignal): Promise<Verdict> {
  const { status, body } = await fetchPage(check, address, signal);
  const fits = check.status === undefined ? status >= 200 && status < 400 : status === check.status;
  if (!fits) return failed(`status ${status}, wanted ${check.status ?? "200 to 399"}${quoted(body, 200)}`);
  if (check.text !== undefined && !body.includes(check.text)) {
    return failed(`status ${status}, but its text does not hold ${JSON.stringify(check.text)}${quoted(body, 200)}`);
  }
  return passed(`status ${status}${check.text === undefined ? "" : ", with the wanted text"}`);
}

function fetchPage(check: CheckOf<"http">, address: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = {
      host: address,
      port: check.port ?? (check.scheme === "https" ? 443 : 80),
      path: check.path,
      signal,
      agent: false,
      headers: { "User-Agent": "proven-restore-test", ...(check.host === undefined ? {} : { Host: check.host }) },
    } as const;
    const take = (incoming: IncomingMessage) => {
      readBody(incoming).then((body) => resolve({ status: incoming.statusCode ?? 0, body }), reject);
    };
    const named = check.host !== undefined && isIP(check.host) === 0 ? { servername: check.host.split(":")[0] as string } : {};
    const outgoing =
      check.scheme === "https" ? requestTls({ ...options, ...named, rejectUnauthorized: false }, take) : request(options, take);
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** At most a MiB: what is wanted stands in the beginning or nowhere. */
async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= bodyMaxBytes) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

export async function probeTls(check: CheckOf<"tls">, address: string, signal: AbortSignal, now: number): Promise<Verdict> {
  const socket = await openTls({ host: address, port: check.port }, check.serverName, signal);
  const { valid_to: validTo, subject } = socket.getPeerCertificate();
  const protocol = socket.getProtocol();
  socket.destroy();
  const until = Date.parse(validTo ?? "");
  if (Number.isNaN(until)) return failed("it showed no certificate");
  const day = new Date(until).toISOString().slice(0, 10);
  const name = subject?.CN === undefined ? "" : ` of ${subject.CN}`;
  return until > now
    ? passed(`${protocol}, certificate${name} valid until ${day}`)
    : failed(`the certificate${name} ended on ${day}`);
}
