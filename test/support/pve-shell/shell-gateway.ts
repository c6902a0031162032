import { createServer, request as httpRequest, type IncomingMessage, type RequestOptions, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { closeServer, cookieOf } from "./shell-server.ts";

export type ShellGatewayOptions = {
  /** A hub, and a key of it: everybody who is signed in to the shell sees what this key may see. */
  hub: { url: string; key: string };
  /** Origin of the shell's page. */
  origin: () => string;
  /** Who this ticket belongs to; undefined: nobody. */
  user: (ticket: string) => Promise<unknown>;
  port?: number;
};

export type ShellGateway = {
  url: string;
  /** Live connections now: streams that a page forgot would stay here. */
  streams(): number;
  /** Methods and paths of the API's requests so far, with the headers that a write must carry. */
  requests: { method: string; path: string; csrf: string | undefined; marked: boolean }[];
  /** Answers instead of the real ones, by path; undefined: none. */
  override: Map<string, { status: number; body: string }>;
  /** As with /etc/proven/ui-disabled. */
  disabled: boolean;
  close(): Promise<void>;
};

/**
 * Stands where the agent's gateway stands, for a page on 127.0.0.1 without TLS: another origin than the page's, its cookie, CORS with the exact
 * origin, and the same two folders. It signs in to the hub with one key, so it is for tests and trying out only.
 */
export async function startShellGateway(options: ShellGatewayOptions): Promise<ShellGateway> {
  const { hub } = options;
  const streams = new Set<ServerResponse>();
  let session: Promise<string> | undefined;
  const gateway = {
    url: "",
    streams: () => streams.size,
    requests: [] as ShellGateway["requests"],
    override: new Map<string, { status: number; body: string }>(),
    disabled: false,
    close: () => closeServer(server),
  };

  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://gateway").pathname;
    allowOrigin(response, options.origin());
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    const instead = gateway.override.get(path);
    if (instead !== undefined) return void response.writeHead(instead.status, { "Content-Type": typeOf(path) }).end(instead.body);
    if (gateway.disabled) return void response.writeHead(204).end();
    if (path.startsWith("/panel/")) return forward(hub.url, path.slice("/panel".length), request, response, {});
    if (!path.startsWith("/api/v1/")) return void response.writeHead(404).end();
    const { method = "GET", headers } = request;
    const csrf = headers.csrfpreventiontoken;
    const marked = headers["proven-request"] === "1";
    gateway.requests.push({ method, path, csrf: typeof csrf === "string" ? csrf : undefined, marked });
    if (path === "/api/v1/stream") {
      streams.add(response);
      response.on("close", () => streams.delete(response));
    }
    const pass = async () => {
      if ((await options.user(cookieOf(request, "PVEAuthCookie") ?? "")) === undefined)
        return refuse(response, 401, "unauthenticated");
      if (method !== "GET" && !marked) return refuse(response, 403, "forbidden");
      session ??= signIn(hub);
      forward(hub.url, request.url ?? "/", request, response, { cookie: await session, "x-proven": "1" });
    };
    pass().catch(() => refuse(response, 502, "internal"));
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await new Promise((settle) => server.once("listening", settle));
  gateway.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return gateway;
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.setHeader("Access-Control-Allow-Credentials", "true");
  response.setHeader("Access-Control-Allow-Headers", "content-type, csrfpreventiontoken, proven-request");
  response.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
  response.setHeader("Vary", "Origin");
}

const typeOf = (path: string) => (path.endsWith(".js") ? "text/javascript" : "application/json");

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ error: { code, message: code } }));
}

/** Answers go through as they come, so that live streams work. The hub's own certificate is not checked: it is on this machine. */
function forward(base: string, path: string, from: IncomingMessage, to: ServerResponse, headers: Record<string, string>): void {
  const { "content-type": type, accept } = from.headers;
  const options: RequestOptions & { rejectUnauthorized: boolean } = {
    method: from.method ?? "GET",
    headers: { ...headers, ...(type === undefined ? {} : { "content-type": type }), ...(accept === undefined ? {} : { accept }) },
    rejectUnauthorized: false,
  };
  const send = base.startsWith("https:") ? httpsRequest : httpRequest;
  const outgoing = send(`${base}${path}`, options, (answer) => {
    const { "content-type": answerType, "cache-control": cache } = answer.headers;
    to.writeHead(answer.statusCode ?? 502, {
      "Content-Type": answerType ?? "application/octet-stream",
      ...(cache === undefined ? {} : { "Cache-Control": cache }),
    });
    answer.on("error", () => to.destroy());
    answer.pipe(to);
  });
  outgoing.on("error", () => (to.headersSent ? to.destroy() : refuse(to, 502, "internal")));
  to.on("close", () => outgoing.destroy());
  from.pipe(outgoing);
}

/** The session cookie of a hub, as a browser with the key would get it. */
function signIn({ url, key }: ShellGatewayOptions["hub"]): Promise<string> {
  const body = JSON.stringify({ key });
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body), "x-proven": "1" };
  return new Promise((resolve, reject) => {
    const outgoing = send(`${url}/api/v1/session`, { method: "POST", headers, rejectUnauthorized: false }, (answer) => {
      answer.resume();
      const cookie = answer.headers["set-cookie"]?.[0]?.split(";")[0];
      if (cookie === undefined) reject(new Error(`the hub answered ${answer.statusCode}`));
      else resolve(cookie);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
