import { existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, isIPv6, type Socket } from "node:net";
import { join } from "node:path";
import { placeOf } from "#protocol/addresses.ts";
import { errorTrace } from "../core/error.ts";
import type { Rate } from "../core/gateway/bucket.ts";
import { allowedRequestHeaders, forwardedHeaders, originAllowed, returnedHeaders } from "../core/gateway/origin.ts";
import { lookAtTicket, ticketOfCookies } from "../core/gateway/ticket.ts";
import type { Clock, Log } from "../ports.ts";
import { readText } from "../sources/files.ts";
import { connectionsMax, holdFew, slowest } from "./bounds.ts";
import { type Pair, readPair } from "./certificate.ts";
import { csrfTokenFits, readCsrfKey } from "./csrf.ts";
import { corsHeaders, securityHeaders } from "./headers.ts";
import type { Forwarded, HubAnswer, HubClient } from "./hub-client.ts";
import { listenAt } from "./listening.ts";
import { readPanelFile } from "./panel-files.ts";
import { doorOf, openDoor } from "./pveproxy-settings.ts";
import type { Streams } from "./streams.ts";
import { Turns } from "./turns.ts";
import type { Told, ViewerAnswer, Viewers } from "./viewers.ts";

export type GatewayConfig = { enabled: boolean; listen: string; port: number; pvePort: number; panel: string };

export type GatewayPorts = {
  config: GatewayConfig;
  root: string;
  clock: Clock;
  log: Log;
  viewers: Viewers;
  hub: HubClient;
  streams: Streams;
  /** Other times than usual, for tests. */
  times?: Partial<typeof slowest>;
};

const bodyMaxBytes = 1 << 20;
const certificateEveryMs = 60_000;
/** Browsers of one office come from one address, a panel makes some 20 requests when it opens. */
const perAddress = { perSec: 50, burst: 300 };
/** Whoever sends tickets that PVE refuses. */
const perStranger = { perSec: 0.5, burst: 20 };
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Browsers show no certificates. Without this line Node would parse its 140 root certificates to judge them by. */
const noAuthorities = { ca: [] };

type Reply = { status: number; code: string; message: string; retryAfterSec?: number };

/** The gateway for browsers on this node: pveproxy's certificate, PVE's ticket, the hub's answers. */
export class Gateway {
  private server: Server | undefined;
  private certificate: Pair | undefined;
  private saidMissing = false;
  private saidDeaf: string | undefined;
  private door = openDoor;
  private readonly turns: Turns;

  constructor(private readonly ports: GatewayPorts) {
    this.turns = new Turns(ports.clock);
  }

  /** 0: it does not listen. */
  get port(): number {
    const address = this.server?.address() as AddressInfo | null | undefined;
    return address?.port ?? 0;
  }

  /** Until `signal` aborts; looks for a certificate, and for a new one, once a minute by `clock`. */
  async run(signal: AbortSignal, clock: Clock): Promise<void> {
    while (!signal.aborted) {
      await this.refresh();
      await clock.sleep(certificateEveryMs, signal);
    }
    this.ports.streams.close();
    this.server?.close();
    this.server?.closeAllConnections();
  }

  /** Begins to listen when there is a certificate, and takes a renewed one without dropping anybody. */
  async refresh(): Promise<void> {
    const settings = await readText(this.ports.root)("/etc/default/pveproxy");
    const text = settings.ok ? settings.text : "";
    // Settings that are there and can't be read say nothing new: who was kept out stays out.
    if (settings.ok || settings.code === "ENOENT") this.keepDoor(text);
    const pair = await readPair(this.ports.root, text, this.certificate);
    if (pair === undefined) {
      if (!this.saidMissing) this.ports.log(4, "the gateway waits for pveproxy's certificate in /etc/pve/local");
      this.saidMissing = true;
      return;
    }
    if (pair === this.certificate && this.server !== undefined) return;
    if (this.server === undefined) await this.listen(pair);
    else this.server.setSecureContext({ ...pair, ...noAuthorities });
    this.certificate = pair;
  }

  private keepDoor(settings: string): void {
    const before = this.door;
    this.door = doorOf(settings);
    if (this.door.problem !== undefined && this.door.problem !== before.problem) this.ports.log(3, this.door.problem);
  }

  private async listen(pair: { cert: string; key: string }): Promise<void> {
    const { config, log, times } = this.ports;
    const server = createServer(
      { ...pair, ...noAuthorities, ...slowest, ...times, minVersion: "TLSv1.2" },
      (request, response) => {
        this.answer(request, response).catch((error: unknown) => {
          log(3, "the gateway failed", { problem: errorTrace(error) });
          if (!response.headersSent)
            this.refuse(request, response, {
              status: 500,
              code: "internal",
              message: "the gateway failed: see the agent's journal",
            });
          else response.destroy();
        });
      },
    );
    server.maxConnections = connectionsMax;
    server.maxHeadersCount = 64;
    server.on("tlsClientError", (_, socket) => socket.destroy()); // silence, or a browser that does not know the certificate
    holdFew(server);
    server.prependListener("connection", (socket: Socket) => {
      if (!this.door.admits(socket.remoteAddress)) socket.destroy();
    });
    const deaf = await listenAt(server, config);
    if (deaf === undefined) {
      this.server = server;
      this.saidDeaf = undefined;
      log(6, "gateway listens", { address: isIPv6(config.listen) ? `[${config.listen}]` : config.listen, port: this.port });
    } else if (deaf !== this.saidDeaf) {
      // Tried again each minute: the port becomes free, the address comes up.
      this.saidDeaf = deaf;
      log(3, `the gateway can't listen on port ${config.port}: free it, or set [gateway] listen or port in agent.toml`, {
        problem: deaf,
      });
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { origin, host } = request.headers;
    const path = request.url ?? "/";
    const foreign = origin !== undefined && !originAllowed(origin, host, this.ports.config.pvePort);
    if (foreign) return this.refuse(request, response, forbidden("this page may not use the gateway"));
    const limited = this.limit(`address ${placeOf(request.socket.remoteAddress ?? "")}`, perAddress);
    if (limited !== undefined) return this.refuse(request, response, limited);
    if (request.method === "OPTIONS") return this.preflight(request, response);
    if (!methods.has(request.method ?? ""))
      return this.refuse(request, response, { status: 405, code: "invalid", message: "no such method" });
    if (path.startsWith("/api/v1/")) return this.api(request, response);
    if (existsSync(join(this.ports.root, "etc/proven/ui-disabled")))
      return end(response, 204, corsHeaders(request.headers.origin));
    if (path.startsWith("/panel/")) return this.panel(request, response, path.slice("/panel/".length));
    if (path === "/") return this.welcome(response);
    this.refuse(request, response, { status: 404, code: "not-found", message: "there is nothing here" });
  }

  private preflight({ headers }: IncomingMessage, response: ServerResponse): void {
    end(response, 204, {
      ...corsHeaders(headers.origin),
      "access-control-allow-methods": [...methods].join(", "),
      "access-control-allow-headers": allowedRequestHeaders,
      "access-control-max-age": "600",
    });
  }

  private async api(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const ticket = ticketOfCookies(request.headers.cookie);
    if (ticket === undefined) return this.refuse(request, response, signedOut("sign in to Proxmox VE first"));
    const seen = await this.see(ticket, placeOf(request.socket.remoteAddress ?? ""));
    if ("status" in seen) return this.refuse(request, response, seen); // too many tickets from there
    if (!seen.ok) return this.refuse(request, response, this.refusalOf(seen.why, seen.problem, request));
    const { told } = seen;
    const method = request.method as Forwarded["method"];
    const problem = method === "GET" || method === "HEAD" ? undefined : await this.writeProblem(request, ticket);
    if (problem !== undefined) return this.refuse(request, response, problem);
    const body = await readBody(request);
    if (body === undefined)
      return this.refuse(request, response, { status: 413, code: "too-large", message: "a request may have 1 MiB" });
    const over = new AbortController();
    response.once("close", () => over.abort());
    const what: Forwarded = { method, path: request.url ?? "/", headers: pick(request, forwardedHeaders), body };
    const grants = (needs: Parameters<Viewers["grants"]>[1]) => this.ports.viewers.grants(ticket, needs);
    const answer = await this.ports.hub.forward(what, told, grants, over.signal);
    if (!answer.ok) return this.refuse(request, response, refusalOfHub(answer));
    this.pass(request, response, answer.response, ticket, told);
  }

  /**
   * A ticket that Proxmox VE has not judged lately costs its place a token, given back unless it is refused: whoever makes tickets up soon has none left,
   * and does not keep PVE from answering the others.
   */
  private async see(ticket: string, place: string): Promise<ViewerAnswer | Reply> {
    const { viewers } = this.ports;
    if (!viewers.asks(ticket)) return viewers.see(ticket);
    const key = `asked ${place}`;
    const limited = this.limit(key, perStranger);
    if (limited !== undefined) return limited;
    const seen = await viewers.see(ticket);
    if (seen.ok || seen.why !== "refused") this.turns.giveBack(key, perStranger);
    return seen;
  }

  /** A page of another origin can't set these headers without being asked, and can't know PVE's token. */
  private async writeProblem(request: IncomingMessage, ticket: string): Promise<Reply | undefined> {
    if (request.headers["proven-request"] !== "1") return forbidden("a write needs the header proven-request: 1");
    if (request.headers.origin === undefined) return forbidden("a write needs an Origin");
    const { root, clock } = this.ports;
    const key = await readCsrfKey(root, clock);
    if (!key.ok) return { status: 503, code: "unavailable", message: key.problem };
    const token = request.headers.csrfpreventiontoken;
    const look = lookAtTicket(ticket, clock.now());
    const user = Buffer.from(look.ok ? look.user : "", "latin1");
    const fits = csrfTokenFits(typeof token === "string" ? token : undefined, user, Buffer.from(key.text), clock.now());
    return fits ? undefined : forbidden("the CSRF prevention token is missing, wrong or old: load the page anew");
  }

  private pass(request: IncomingMessage, response: ServerResponse, from: IncomingMessage, ticket: string, told: Told): void {
    const headers: Record<string, string> = { ...corsHeaders(request.headers.origin), ...securityHeaders };
    for (const name of returnedHeaders) {
      const value = from.headers[name];
      if (value !== undefined) headers[name] = value;
    }
    const length = from.headers["content-length"];
    if (length !== undefined) headers["content-length"] = length;
    response.writeHead(from.statusCode ?? 502, headers);
    from.on("error", () => response.destroy());
    response.on("error", () => from.destroy());
    if (headers["content-type"]?.startsWith("text/event-stream")) {
      response.flushHeaders();
      this.ports.streams.add({ ticket, told, end: () => response.destroy() }, response);
    }
    from.pipe(response);
  }

  private async panel(request: IncomingMessage, response: ServerResponse, nameAndQuery: string): Promise<void> {
    const name = nameAndQuery.split("?")[0] as string;
    const headers = { ...corsHeaders(request.headers.origin), ...securityHeaders };
    const file = await readPanelFile(this.ports.config.panel, name);
    if (file === undefined) return this.panelOfHub(request, response, nameAndQuery, headers);
    const cache = { ...headers, etag: file.etag, "cache-control": "no-cache" };
    if (request.headers["if-none-match"] === file.etag) return end(response, 304, cache);
    end(response, 200, { ...cache, "content-type": file.type }, request.method === "HEAD" ? undefined : file.bytes);
  }

  /** Where proven-pve-ui is not installed on this node, the hub's files do. */
  private async panelOfHub(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    headers: Record<string, string>,
  ): Promise<void> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}(\?[A-Za-z0-9=._-]*)?$/.test(name) || name.includes(".."))
      return this.refuse(request, response, { status: 404, code: "not-found", message: "no such file" });
    const over = new AbortController();
    response.once("close", () => over.abort());
    const answer = await this.ports.hub.open(`/${name}`, pick(request, ["if-none-match", "accept"]), over.signal);
    if (!answer.ok) return this.refuse(request, response, refusalOfHub(answer));
    const back: Record<string, string> = { ...headers };
    for (const each of [...returnedHeaders, "content-length"] as const) {
      const value = answer.response.headers[each];
      if (value !== undefined) back[each] = value;
    }
    response.writeHead(answer.response.statusCode ?? 502, back);
    answer.response.on("error", () => response.destroy());
    answer.response.pipe(response);
  }

  /** Where somebody lands who had to tell his browser that he trusts this certificate. */
  private welcome(response: ServerResponse): void {
    const text = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Proven</title>
<body style="font:16px/1.5 system-ui;max-width:36em;margin:3em auto;padding:0 1em"><h1>Your browser trusts this node now</h1>
<p>This is Proven's gateway. Close this tab, go back to Proxmox VE and press <b>Try again</b>.</p></body></html>`;
    end(
      response,
      200,
      { ...securityHeaders, "content-type": "text/html; charset=utf-8", "cache-control": "no-store" },
      Buffer.from(text),
    );
  }

  private refusalOf(why: "refused" | "busy" | "unavailable", problem: string, request: IncomingMessage): Reply {
    if (why === "unavailable") return { status: 503, code: "unavailable", message: problem, retryAfterSec: 5 };
    const limited = this.limit(`stranger ${placeOf(request.socket.remoteAddress ?? "")}`, perStranger);
    if (limited !== undefined) return limited;
    return why === "busy"
      ? { status: 429, code: "rate-limited", message: problem, retryAfterSec: 5 }
      : signedOut("your Proxmox VE session has ended: sign in again");
  }

  private limit(key: string, rate: Rate): Reply | undefined {
    const waitSec = this.turns.take(key, rate);
    if (waitSec === undefined) return undefined;
    return { status: 429, code: "rate-limited", message: "too many requests", retryAfterSec: waitSec };
  }

  private refuse(request: IncomingMessage, response: ServerResponse, { status, code, message, retryAfterSec }: Reply): void {
    const allowed =
      request.headers.origin !== undefined &&
      originAllowed(request.headers.origin, request.headers.host, this.ports.config.pvePort);
    const headers = {
      ...(allowed ? corsHeaders(request.headers.origin) : {}),
      ...securityHeaders,
      "content-type": "application/json",
      "cache-control": "no-store",
      ...(retryAfterSec === undefined ? {} : { "retry-after": String(retryAfterSec) }),
    };
    request.resume();
    end(response, status, headers, Buffer.from(JSON.stringify({ error: { code, message } })));
  }
}

const forbidden = (message: string): Reply => ({ status: 403, code: "forbidden", message });
const signedOut = (message: string): Reply => ({ status: 401, code: "unauthenticated", message });

function refusalOfHub({ why, problem }: Extract<HubAnswer, { ok: false }>): Reply {
  if (why === "forbidden") return forbidden(problem);
  if (why === "broken") return { status: 502, code: "broken", message: problem };
  const message = why === "no-hub" ? `this node has no hub: ${problem}` : `the hub does not answer: ${problem}`;
  return { status: 503, code: "hub-unreachable", message, retryAfterSec: 5 };
}

function pick(request: IncomingMessage, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = request.headers[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}

/** Undefined: larger than a request may be. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > bodyMaxBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function end(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body?: Buffer): void {
  response.writeHead(status, body === undefined ? headers : { ...headers, "content-length": body.length });
  response.end(body);
}
