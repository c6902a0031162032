import { type IncomingMessage, request } from "node:http";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { errorCode } from "../core/error.ts";
import { JsonItems } from "../core/json-items.ts";
import { asObject, asText, type JsonObject, parseJsonObject } from "../core/values.ts";
import type { Clock } from "../ports.ts";

/** `status`: 0 when there was no answer. */
export type PbsError = { status: number; problem: string };
export type PbsResult<T> = { ok: true; data: T } | ({ ok: false } & PbsError);

export type PbsPlace = { server: string; port: number; fingerprint?: string };
/** `user` with a `!` is an API token. */
export type PbsLogin = { user: string; secret: string };
type Params = Readonly<Record<string, string>>;

/** A Backup Server as one user sees it. Nothing throws. */
export interface PbsApi {
  get(path: string, params?: Params): Promise<PbsResult<unknown>>;
  post(path: string, params?: Params): Promise<PbsResult<unknown>>;
  /** As `get`, for a list of any length: its objects one after the other. `data`: how many they were. */
  each(path: string, params: Params, take: (item: JsonObject) => void): Promise<PbsResult<number>>;
}

const answerWithinMs = 20_000;
const listWithinMs = 120_000;
const bodyMaxBytes = 4 << 20;
const listMaxBytes = 256 << 20;
/** The server takes tickets of up to two hours. */
const ticketMaxAgeMs = 3_600_000;

type Asking = { method: "GET" | "POST"; path: string; body?: string; headers: Record<string, string>; withinMs: number };
/** `csrf`: what a change needs beside the cookie; empty: the server gave none. */
type Ticket = { cookie: string; csrf: string; mintedMs: number };
type Answered = { status: number; headers: IncomingMessage["headers"] };

/**
 * Talks to a Proxmox Backup Server: HTTPS whose certificate is pinned by its fingerprint before anything is sent, or, where none is given,
 * signed by an authority the node trusts. An API token is sent as it is; a user's password buys a ticket. Routes and headers after the server's
 * documentation and source, never seen from a real one.
 */
export function createPbsApi(place: PbsPlace, login: PbsLogin, clock: Clock): PbsApi {
  let ticket: Ticket | undefined;

  async function authorization(): Promise<PbsResult<Record<string, string>>> {
    if (login.user.includes("!")) return { ok: true, data: { Authorization: `PBSAPIToken=${login.user}:${login.secret}` } };
    if (ticket === undefined || clock.monotonicMs() - ticket.mintedMs > ticketMaxAgeMs) {
      const minted = await mintTicket(place, login, clock);
      if (!minted.ok) return minted;
      ticket = { ...minted.data, mintedMs: clock.monotonicMs() };
    }
    // Reading does without the token that changes need; sending it does no harm.
    return { ok: true, data: { Cookie: ticket.cookie, ...(ticket.csrf === "" ? {} : { CSRFPreventionToken: ticket.csrf }) } };
  }

  async function ask(asking: Omit<Asking, "headers">, take: BodyTaker, type = {}): Promise<PbsResult<Answered>> {
    const headers = await authorization();
    if (!headers.ok) return headers;
    const answer = await exchange(place, { ...asking, headers: { ...headers.data, ...type } }, take, clock);
    if (!answer.ok && answer.status === 401) ticket = undefined;
    return answer;
  }

  function read(path: string, params: Params, withinMs: number, take: BodyTaker): Promise<PbsResult<Answered>> {
    const query = new URLSearchParams(params).toString();
    const whole = `/api2/json${path}${query === "" ? "" : `?${query}`}`;
    return ask({ method: "GET", path: whole, withinMs }, take);
  }

  const dataOf = (answer: PbsResult<Answered>, { text }: TextBody): PbsResult<unknown> => {
    if (!answer.ok) return answer;
    const json = parseJsonObject(text);
    return json === undefined ? { ok: false, status: 0, problem: "the answer is not JSON" } : { ok: true, data: json.data };
  };

  return {
    async get(path, params = {}) {
      const body = new TextBody();
      return dataOf(await read(path, params, answerWithinMs, body), body);
    },
    async post(path, params = {}) {
      const body = new TextBody();
      const form = new URLSearchParams(params).toString();
      const type = { "Content-Type": "application/x-www-form-urlencoded" };
      const asking = { method: "POST", path: `/api2/json${path}`, body: form, withinMs: answerWithinMs } as const;
      return dataOf(await ask(asking, body, type), body);
    },
    async each(path, params, take) {
      let count = 0;
      const items = new JsonItems((item) => {
        count++;
        take(item);
      });
      const answer = await read(path, params, listWithinMs, { maxBytes: listMaxBytes, push: (text) => items.push(text) });
      if (!answer.ok) return answer;
      if (!items.end()) return { ok: false, status: 0, problem: "the list is not JSON" };
      return { ok: true, data: count };
    },
  };
}

/**
 * `POST /access/ticket`. Up to version 3 the ticket stands in the body and goes back as `PBSAuthCookie`; from 4 on the server may set it as
 * `__Host-PBSAuthCookie` only.
 */
async function mintTicket(
  place: PbsPlace,
  { user, secret }: PbsLogin,
  clock: Clock,
): Promise<PbsResult<Omit<Ticket, "mintedMs">>> {
  const body = new URLSearchParams({ username: user, password: secret }).toString();
  const text = new TextBody();
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const path = "/api2/json/access/ticket";
  const answer = await exchange(place, { method: "POST", path, body, headers, withinMs: answerWithinMs }, text, clock);
  if (!answer.ok) return answer;
  const set = (answer.data.headers["set-cookie"] ?? []).find((cookie) => /^(__Host-)?PBSAuthCookie=[^;]/.test(cookie));
  const data = asObject(parseJsonObject(text.text)?.data);
  const csrf = asText(data?.CSRFPreventionToken) ?? "";
  if (set !== undefined) return { ok: true, data: { cookie: set.split(";", 1)[0] as string, csrf } };
  const ticket = asText(data?.ticket);
  if (ticket === undefined) return { ok: false, status: 0, problem: "the server gave no ticket" };
  return { ok: true, data: { cookie: `PBSAuthCookie=${encodeURIComponent(ticket)}`, csrf } };
}

type BodyTaker = { maxBytes: number; push(text: string): void };

class TextBody implements BodyTaker {
  readonly maxBytes = bodyMaxBytes;
  text = "";
  push(text: string): void {
    this.text += text;
  }
}

/** One request over a connection of its own. Errors of the server are plain text. */
async function exchange(place: PbsPlace, asking: Asking, take: BodyTaker, clock: Clock): Promise<PbsResult<Answered>> {
  const over = new AbortController();
  const waiting = new AbortController();
  const late = clock.sleep(asking.withinMs, waiting.signal).then(
    (): PbsResult<Answered> => ({ ok: false, status: 0, problem: `no answer within ${asking.withinMs / 1000} s` }),
    (): PbsResult<Answered> => ({ ok: false, status: 0, problem: "cancelled" }),
  );
  const work = openPinned(place, over.signal).then((opened) => (opened.ok ? talk(opened.data, place, asking, take) : opened));
  const result = await Promise.race([work, late]);
  waiting.abort();
  over.abort();
  return result;
}

async function talk(socket: TLSSocket, place: PbsPlace, asking: Asking, take: BodyTaker): Promise<PbsResult<Answered>> {
  try {
    const incoming = await send(socket, place, asking);
    const status = incoming.statusCode ?? 0;
    const good = status >= 200 && status < 300;
    const problem = good ? undefined : new TextBody();
    await collect(incoming, problem ?? take);
    if (problem === undefined) return { ok: true, data: { status, headers: incoming.headers } };
    return { ok: false, status, problem: (problem.text.trim() || incoming.statusMessage || `status ${status}`).slice(0, 300) };
  } catch (error) {
    return { ok: false, status: 0, problem: error instanceof TooLong ? error.message : errorCode(error) };
  } finally {
    socket.destroy();
  }
}

class TooLong extends Error {}

function send(socket: TLSSocket, place: PbsPlace, { method, path, body = "", headers }: Asking): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        createConnection: () => socket,
        method,
        path,
        headers: {
          Host: `${isIP(place.server) === 6 ? `[${place.server}]` : place.server}:${place.port}`,
          Connection: "close",
          "Content-Length": Buffer.byteLength(body),
          ...headers,
        },
      },
      resolve,
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function collect(incoming: IncomingMessage, take: BodyTaker): Promise<void> {
  const decoder = new TextDecoder();
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes > take.maxBytes) throw new TooLong(`more than ${take.maxBytes >> 20} MiB`);
    take.push(decoder.decode(chunk, { stream: true }));
  }
  take.push(decoder.decode());
}

/** A connection over which nothing was sent yet, and whose other end showed the right certificate. */
function openPinned({ server, port, fingerprint }: PbsPlace, signal: AbortSignal): Promise<PbsResult<TLSSocket>> {
  return new Promise((resolve) => {
    const pinned = fingerprint !== undefined;
    // The pin is stricter than any authority, so the chain and the name in the certificate don't matter then.
    const name = isIP(server) === 0 ? { servername: server } : {};
    const socket = connect({ host: server, port, rejectUnauthorized: !pinned, ...(pinned ? { ca: [] } : {}), ...name });
    const fail = (problem: string) => {
      socket.destroy();
      resolve({ ok: false, status: 0, problem });
    };
    signal.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.on("error", (error) => fail(errorCode(error)));
    socket.once("close", () => fail("the connection was closed"));
    socket.once("secureConnect", () => {
      const seen = socket.getPeerCertificate().fingerprint256 ?? "none";
      if (pinned && seen !== fingerprint) return fail(`its certificate has fingerprint ${seen}, storage.cfg says ${fingerprint}`);
      resolve({ ok: true, data: socket });
    });
  });
}
