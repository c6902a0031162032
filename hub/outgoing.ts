import { lookup as dnsLookup } from "node:dns";
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { errorMessage } from "./core/error.ts";
import { addressProblem, type OutgoingRules, redirectProblem, urlProblem } from "./core/outgoing-url.ts";
import { type HttpProxy, TunnelAgent } from "./tunnel.ts";

export type OutgoingRequest = {
  url: URL;
  method: "GET" | "POST";
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array;
  /** For the whole exchange, redirects included. */
  timeoutMs: number;
  /** A longer answer is a problem. */
  answerMaxBytes: number;
};

export type OutgoingAnswer = { status: number; headers: IncomingHttpHeaders; body: Buffer };
/** `forbidden`: the rules said no, and will again. Otherwise the network, TLS or the other side's HTTP failed, and trying again may help. */
export type OutgoingResult =
  | { ok: true; answer: OutgoingAnswer }
  | { ok: false; reason: "forbidden" | "unreachable"; problem: string };

export type OutgoingOptions = {
  /** PEM: replaces the system's authorities. */
  ca?: string;
  resolve?: LookupFunction;
  /** The way to what is outside. Rules that open the own network go there directly, whatever is asked. */
  proxy?: HttpProxy | undefined;
};

class ForbiddenError extends Error {}

const redirectsMax = 3;

/**
 * The one way out to URLs that someone configured. A name is resolved here and the connection made to the very address that was checked, so
 * that a second answer of the DNS can't lead elsewhere. Certificates are always verified: `ca` (PEM) replaces the system's authorities.
 */
export class OutgoingClient {
  private readonly agents: { http: HttpAgent; https: HttpsAgent };

  constructor(
    private readonly rules: OutgoingRules,
    { ca, resolve = dnsLookup as LookupFunction, proxy }: OutgoingOptions = {},
  ) {
    const shared = { keepAlive: true, maxSockets: 8, keepAliveMsecs: 10_000 };
    const lookup = checkedLookup("https:", rules, resolve);
    const secure = { ...shared, ...(ca === undefined ? {} : { ca }) };
    const isOutside = !rules.allowPrivate && !rules.allowLoopback;
    this.agents = {
      http: new HttpAgent({ ...shared, lookup: checkedLookup("http:", rules, resolve) }),
      https:
        proxy !== undefined && isOutside
          ? new TunnelAgent(proxy, (hostname) => checkName(hostname, lookup), secure)
          : new HttpsAgent({ ...secure, lookup }),
    };
  }

  async send(request: OutgoingRequest): Promise<OutgoingResult> {
    const deadline = AbortSignal.timeout(request.timeoutMs);
    let { url } = request;
    for (let redirects = 0; redirects <= redirectsMax; redirects++) {
      const problem = urlProblem(url, this.rules);
      if (problem !== undefined) return { ok: false, reason: "forbidden", problem };
      const result = await this.exchange({ ...request, url }, deadline);
      const next = result.ok ? redirectTarget(request.method, url, result.answer) : undefined;
      if (next === undefined) return result;
      const leaves = redirectProblem(url, next);
      if (leaves !== undefined) return { ok: false, reason: "forbidden", problem: leaves };
      url = next;
    }
    return { ok: false, reason: "forbidden", problem: `more than ${redirectsMax} redirects` };
  }

  close(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }

  private async exchange(request: OutgoingRequest, signal: AbortSignal): Promise<OutgoingResult> {
    const { url, method, body } = request;
    const headers = { ...request.headers, ...(body === undefined ? {} : { "content-length": String(body.length) }) };
    const secure = url.protocol === "https:";
    const options = { method, headers, signal, agent: secure ? this.agents.https : this.agents.http };
    try {
      const sent = secure ? httpsRequest(url, options) : httpRequest(url, options);
      const answer = await readAnswer(sent, body, request.answerMaxBytes);
      return { ok: true, answer };
    } catch (error) {
      if (error instanceof ForbiddenError) return { ok: false, reason: "forbidden", problem: error.message };
      const problem = signal.aborted ? `no answer within ${request.timeoutMs} ms` : errorMessage(error);
      return { ok: false, reason: "unreachable", problem };
    }
  }
}

async function readAnswer(sent: ClientRequest, body: Uint8Array | undefined, maxBytes: number): Promise<OutgoingAnswer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve);
    sent.on("error", reject);
    sent.end(body);
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
}

/** 307 and 308 keep method and content; the others would turn a POST into a GET and are left to the caller as an answer. */
function redirectTarget(method: string, from: URL, { status, headers }: OutgoingAnswer): URL | undefined {
  const repeats = status === 307 || status === 308 || (method === "GET" && (status === 301 || status === 302 || status === 303));
  if (!repeats || headers.location === undefined || !URL.canParse(headers.location, from.href)) return undefined;
  return new URL(headers.location, from);
}

/** Resolves, and gives the connection only addresses that the rules allow; none left is an error that names the first's problem. */
function checkedLookup(protocol: string, rules: OutgoingRules, resolve: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "");
      const addresses = Array.isArray(found) ? found : [{ address: found, family: 0 }];
      const problems = addresses.map(({ address }) => addressProblem(address, protocol, rules));
      const allowed = addresses.filter((_, index) => problems[index] === undefined);
      const [first] = allowed;
      if (first === undefined) return callback(new ForbiddenError(`${hostname}: ${problems[0] ?? "no address"}`), "");
      if (options.all === true) return callback(null, allowed);
      callback(null, first.address, first.family);
    });
  };
}

/** A DNS of the own network answers well within it, about what is inside at any rate, ms. */
const nameMs = 2000;

/** Behind a proxy names of the internet are often known to the proxy alone: what can't be resolved is its business. @throws ForbiddenError */
function checkName(hostname: string, lookup: LookupFunction): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(resolve, nameMs);
    lookup(hostname, {}, (error) => {
      clearTimeout(late);
      if (error instanceof ForbiddenError) reject(error);
      else resolve();
    });
  });
}
