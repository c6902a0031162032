import { Agent, type IncomingMessage, request } from "node:http";
import { parseUpid } from "#protocol/ids.ts";
import { errorCode } from "../core/error.ts";
import type { Clock } from "../ports.ts";
import { fileProblem, readText } from "../sources/files.ts";
import { type ApiResult, noAnswer, parseAnswer, parseTaskStatus } from "./answer.ts";
import { mintTicket, ticketMaxAgeMs } from "./ticket.ts";

/** `undefined` is left out, a boolean is PVE's 0 or 1, an array repeats its key. */
export type ApiParams = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** `timeoutMs`: how long its answer may take; default 15 s. */
export type CallOptions = { timeoutMs?: number };
type Send = (path: string, params?: ApiParams, options?: CallOptions) => Promise<ApiResult>;

/** This node's own API. Other nodes can't be reached through it. Nothing throws: what went wrong is in the result. */
export interface PveApi {
  get: Send;
  post: Send;
  put: Send;
  delete: Send;
  /** Waits for a task of this node and gives PVE's end status as `data`. `OK` says only that the command ended. */
  awaitTask(upid: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<ApiResult>;
  close(): void;
}

const authkeyPath = "/etc/pve/priv/authkey.key";
// pveproxy and pvedaemon drop a connection after 5 s of silence; ours goes first, so that no request meets a closing one.
const keepAliveMs = 4000;
// A ticket that is refused is answered after 3 s: less would look like a daemon that hangs.
const callTimeoutMs = 15_000;
const bodyMaxBytes = 32 << 20;
const resetRetries = 2;

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** `baseUrl`: `http://127.0.0.1:85/api2/json`, or without its path. `root`: where /etc/pve is found. */
export function createPveApi({ baseUrl, root, clock }: { baseUrl: string; root: string; clock: Clock }): PveApi {
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/+$/, "") || "/api2/json";
  const agent = new Agent({ keepAlive: true, timeout: keepAliveMs, maxSockets: 4, maxFreeSockets: 2 });
  const read = readText(root);
  let ticket: { text: string; mintedMs: number } | undefined;

  async function currentTicket(): Promise<{ ok: true; text: string } | { ok: false; problem: string }> {
    const nowMs = clock.monotonicMs();
    if (ticket !== undefined && nowMs - ticket.mintedMs < ticketMaxAgeMs) return { ok: true, text: ticket.text };
    const key = await read(authkeyPath);
    if (!key.ok) return { ok: false, problem: fileProblem(authkeyPath, key.code) };
    try {
      ticket = { text: mintTicket(key.text, clock.now()), mintedMs: nowMs };
      return { ok: true, text: ticket.text };
    } catch {
      return { ok: false, problem: `${authkeyPath}: not a private key` };
    }
  }

  async function call(method: Method, path: string, params: ApiParams = {}, options: CallOptions = {}): Promise<ApiResult> {
    const signed = await currentTicket();
    if (!signed.ok) return noAnswer(signed.problem);
    const form = encodeParams(params);
    const inQuery = method === "GET" || method === "DELETE";
    const asked = {
      agent,
      method,
      host: base.hostname.replace(/^\[|\]$/g, ""),
      port: base.port || 80,
      path: `${prefix}${path}${inQuery && form !== "" ? `?${form}` : ""}`,
      headers: { Cookie: `PVEAuthCookie=${encodeURIComponent(signed.text)}` },
    };
    const result = await exchange(asked, inQuery ? "" : form, clock, options.timeoutMs ?? callTimeoutMs);
    if (!result.ok && result.error.status === 401) ticket = undefined; // the cluster's key has changed
    return result;
  }

  async function get(path: string, params?: ApiParams, options?: CallOptions): Promise<ApiResult> {
    for (let attempt = 0; ; attempt++) {
      const result = await call("GET", path, params, options);
      const reset = !result.ok && result.error.status === 0 && result.error.reason === "ECONNRESET";
      if (!reset || attempt === resetRetries) return result;
    }
  }

  return {
    get,
    post: (...rest) => call("POST", ...rest),
    put: (...rest) => call("PUT", ...rest),
    delete: (...rest) => call("DELETE", ...rest),
    awaitTask: (upid, options) => awaitTask(get, clock, upid, options),
    close: () => agent.destroy(),
  };
}

export function encodeParams(params: ApiParams): string {
  const form = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined) continue;
    const values = typeof value === "object" ? value : [typeof value === "boolean" ? Number(value) : value];
    for (const one of values) form.append(key, String(one));
  }
  return form.toString();
}

type ExchangeOptions = { agent: Agent; method: Method; host: string; port: string | number; path: string; headers: object };

/** One request and its whole answer. Content-Length is always sent: pveproxy refuses chunked bodies. */
async function exchange(options: ExchangeOptions, body: string, clock: Clock, timeoutMs: number): Promise<ApiResult> {
  const headers = {
    ...options.headers,
    "Content-Length": Buffer.byteLength(body),
    ...(body === "" ? {} : { "Content-Type": "application/x-www-form-urlencoded" }),
  };
  const outgoing = request({ ...options, headers });
  const answer = new Promise<ApiResult>((resolve) => {
    const fail = (error: unknown) => resolve(noAnswer(errorCode(error)));
    outgoing.on("error", fail);
    outgoing.on("response", (incoming) => {
      const { statusCode = 0, statusMessage = "" } = incoming;
      collectBody(incoming).then((text) => resolve(parseAnswer(statusCode, statusMessage, text)), fail);
    });
  });
  outgoing.end(body);
  const waiting = new AbortController();
  const late = clock.sleep(timeoutMs, waiting.signal).then(
    () => undefined,
    () => undefined, // cancelled: the answer is there
  );
  const result = await Promise.race([answer, late]);
  waiting.abort();
  if (result !== undefined) return result;
  outgoing.destroy();
  return noAnswer(`no answer within ${timeoutMs} ms`);
}

/** All of an answer as text; throws beyond 32 MiB. */
export function collectBody(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyMaxBytes) incoming.destroy(new Error(`more than ${bodyMaxBytes} bytes`));
      else chunks.push(chunk);
    });
    incoming.on("error", reject);
    incoming.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}

/** In a row: then PVE means it. */
const refusalsMax = 5;

async function awaitTask(
  get: PveApi["get"],
  clock: Clock,
  upid: string,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<ApiResult> {
  const task = parseUpid(upid);
  if (task === undefined) return noAnswer("not a UPID");
  const path = `/nodes/${task.node}/tasks/${encodeURIComponent(upid)}/status`;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let refusals = 0;
  for (let waitMs = 200; ; waitMs = Math.min(2000, waitMs * 1.5)) {
    const result = await get(path);
    // While the daemon restarts there is no answer, and a ticket from before the clock was set is refused; the task goes on, and so does the wait.
    if (result.ok) refusals = 0;
    else if (result.error.status !== 0 && ++refusals === refusalsMax) return result;
    const state = result.ok ? parseTaskStatus(result.data) : undefined;
    if (result.ok && state === undefined) return noAnswer("the task's status was not understood");
    if (state?.running === false) return { ok: true, data: state.exitStatus };
    if (signal?.aborted === true) return noAnswer("cancelled");
    if (clock.monotonicMs() + waitMs > deadlineMs) return noAnswer(`the task still runs after ${timeoutMs} ms`);
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
}
