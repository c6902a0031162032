import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Endpoint, matchEndpoint, type Permission } from "./endpoints.ts";
import { checkParams, type Params } from "./params.ts";
import type { Permissions } from "./permissions.ts";
import { type Secrets, verifiedUser } from "./secrets.ts";

/** An answer other than 200: its text is the reason phrase, and the JSON's message with a newline. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly errors?: Readonly<Record<string, string>>,
  ) {
    super(message);
  }
}

/** A refusal that a caller without any bug may get. */
export class ExpectedError extends ApiError {}

/** One checked request. `node`: the one that answers. */
export type Call = { node: string; user: string; params: Params; permissions: Permissions };
export type Handler = (call: Call) => unknown;

export type ApiOptions = {
  node: string;
  secrets: Secrets;
  permissions: Permissions;
  handlers: Readonly<Record<string, Handler>>;
  knowsNode(name: string): boolean;
  /** The node's own clock, ms. */
  now(): number;
  /** Lab time: how long a refused ticket waits. */
  wait(ms: number): Promise<void>;
  refusalDelayMs: number;
  /** Every request that PVE would not have understood: its author has a bug. */
  onMisuse(problem: string): void;
};

type Answer = { status: number; reason: string; body?: unknown };

/** Who a ticket is of; undefined: nobody that may sign in. */
function userOf(ticket: string, { secrets, now, permissions }: ApiOptions): string | undefined {
  const user = verifiedUser(secrets, ticket, now());
  return user !== undefined && !user.startsWith("!") && permissions.has(user) ? user : undefined;
}

/** Ticket of the cookie or of `Authorization: PVEAuthCookie=…`; percent-encoding is undone (PVE::APIServer::Formatter). */
function ticketOf(request: IncomingMessage): string | undefined {
  const pattern = /(?:^|\s)PVEAuthCookie=([^;\s]*)/;
  const found = pattern.exec(request.headers.cookie ?? "") ?? pattern.exec(request.headers.authorization ?? "");
  if (found?.[1] === undefined || found[1] === "") return undefined;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

function collect(form: URLSearchParams, into: Record<string, string | string[]>): void {
  for (const [name, value] of form) {
    const before = into[name];
    into[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

function allows(permission: Permission, { user, params, permissions }: Call): string | undefined {
  if (permission === "all" || permission === "world") return undefined;
  if ("anyOf" in permission) {
    const problems = permission.anyOf.map((one) => allows(one, { user, params, permissions, node: "" }));
    return problems.includes(undefined) ? undefined : problems.at(-1);
  }
  const path = permission.path.replace(/\{(\w+)\}/g, (_, name: string) => String(params[name]));
  const held = permissions.on(user, path);
  if (permission.privileges.some((privilege) => held.includes(privilege))) return undefined;
  return `Permission check failed (${path}, ${permission.privileges.join("|")})`;
}

/** Who proxies: pvedaemon knows its own node only (PVE::APIServer::AnyEvent, "proxy not allowed"). */
function checkNode(endpoint: Endpoint, name: string, options: ApiOptions): void {
  if (!endpoint.localNode || name === options.node || name === "localhost") return;
  if (options.knowsNode(name)) throw new ApiError(500, "proxy not allowed");
  throw new ApiError(
    500,
    `hostname lookup '${name}' failed - failed to get address info for: ${name}: Temporary failure in name resolution`,
  );
}

/** One node's pvedaemon: `http://127.0.0.1:85`, on a port of the lab. */
export class NodeApi {
  private server: Server | undefined;
  private refused = false;
  port = 0;

  constructor(private readonly options: ApiOptions) {}

  async start(port: number): Promise<void> {
    // PVE drops idle connections after 5 s.
    const server = createServer({ keepAliveTimeout: 5000 }, (request, response) => {
      void this.serve(request, response);
    });
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** A dead node takes no connections; its port stays its own. */
  refuse(refused: boolean): void {
    this.refused = refused;
    if (refused) this.server?.closeAllConnections();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.refused) {
      request.socket.destroy();
      return;
    }
    const answer = await this.answer(request);
    if (response.destroyed) return;
    const stamp = new Date(this.options.now()).toUTCString();
    const body = answer.body === undefined ? "" : JSON.stringify(answer.body);
    response.writeHead(answer.status, answer.reason.replace(/[^\x20-\x7e]/g, " "), {
      "Cache-Control": "max-age=0",
      Date: stamp,
      Pragma: "no-cache",
      Server: "pve-api-daemon/3.0",
      Expires: stamp,
      ...(answer.body === undefined ? {} : { "Content-Type": "application/json;charset=UTF-8" }),
      "Content-Length": Buffer.byteLength(body),
    });
    response.end(body);
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const method = request.method ?? "";
    const url = new URL(request.url ?? "/", "http://lab");
    const body = await bodyOf(request);
    if (!["GET", "POST", "PUT", "DELETE"].includes(method))
      return this.misuse({ status: 501, reason: `method '${method}' not available` });
    if (request.headers["transfer-encoding"] !== undefined) {
      return this.misuse({ status: 501, reason: "chunked transfer encoding not supported" });
    }
    if (!url.pathname.startsWith("/api2/json")) {
      return this.misuse({ status: 500, reason: `no such file '${url.pathname}'` });
    }
    const path = url.pathname.slice("/api2/json".length);
    const ticket = ticketOf(request);
    const open = matchEndpoint(method, path)?.endpoint.permission === "world";
    const user = ticket === undefined ? undefined : userOf(ticket, this.options);
    if (user === undefined && !open) {
      if (this.options.refusalDelayMs > 0) await this.options.wait(this.options.refusalDelayMs);
      return { status: 401, reason: ticket === undefined ? "No ticket" : "Authentication failed!" };
    }
    try {
      const given: Record<string, string | string[]> = {};
      collect(url.searchParams, given);
      collect(new URLSearchParams(body), given);
      return {
        status: 200,
        reason: "OK",
        body: { data: await this.call(method, path, given, user ?? "") },
      };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { status, message, errors } = error;
      if ((status === 400 || status === 501) && !(error instanceof ExpectedError))
        this.options.onMisuse(`${method} ${url.pathname}: ${JSON.stringify(errors ?? message)}`);
      const text = status === 501 ? message : `${message}\n`;
      return { status, reason: message, body: { message: text, ...(errors === undefined ? {} : { errors }), data: null } };
    }
  }

  private async call(method: string, path: string, given: Record<string, string | string[]>, user: string): Promise<unknown> {
    const match = matchEndpoint(method, path);
    if (match === undefined) {
      throw new ApiError(501, `Method '${method} ${path}' not implemented`);
    }
    const { endpoint, fromPath } = match;
    checkNode(endpoint, fromPath.node ?? "", this.options);
    const checked = checkParams(endpoint, { ...given, ...fromPath });
    if (!checked.ok) {
      throw new ApiError(400, "Parameter verification failed.", checked.errors);
    }
    const call: Call = { node: this.options.node, user, params: checked.params, permissions: this.options.permissions };
    const problem = allows(endpoint.permission, call);
    if (problem !== undefined) throw new ApiError(403, problem);
    const handler = this.options.handlers[endpoint.handler];
    if (handler === undefined) throw new Error(`no handler ${endpoint.handler}`);
    return (await handler(call)) ?? null;
  }

  private misuse(answer: Answer): Answer {
    this.options.onMisuse(answer.reason);
    return answer;
  }
}
