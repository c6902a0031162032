import { Agent, request } from "node:http";
import { errorCode } from "../core/error.ts";
import { cookieOfTicket } from "../core/gateway/ticket.ts";
import { type ApiResult, noAnswer, parseAnswer } from "./answer.ts";
import { type ApiParams, collectBody, encodeParams } from "./api.ts";

/** This node's API asked as somebody else. Nothing throws. A refused ticket takes PVE 3 s, on its own connection only. */
export interface UserApi {
  get(ticket: string, path: string, params?: ApiParams): Promise<ApiResult>;
  /** Without a ticket: what PVE answers before anybody has signed in. */
  open(method: "GET" | "POST", path: string, params?: Readonly<Record<string, string>>): Promise<ApiResult>;
  close(): void;
}

const timeoutMs = 15_000;

/** `baseUrl` as for createPveApi. Several connections: while one waits for a refusal the others answer. */
export function createUserApi(baseUrl: string): UserApi {
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/+$/, "") || "/api2/json";
  const agent = new Agent({ keepAlive: true, timeout: 4000, maxSockets: 8, maxFreeSockets: 2 });

  function call(method: "GET" | "POST", path: string, form: string, cookie: string | undefined): Promise<ApiResult> {
    const inQuery = method === "GET";
    const body = inQuery ? "" : form;
    return new Promise((resolve) => {
      const outgoing = request(
        {
          agent,
          method,
          host: base.hostname.replace(/^\[|\]$/g, ""),
          port: base.port || 80,
          path: `${prefix}${path}${inQuery && form !== "" ? `?${form}` : ""}`,
          headers: {
            ...(cookie === undefined ? {} : { Cookie: cookieOfTicket(cookie) }),
            "Content-Length": Buffer.byteLength(body),
            ...(body === "" ? {} : { "Content-Type": "application/x-www-form-urlencoded" }),
          },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (incoming) => {
          collectBody(incoming).then(
            (text) => resolve(parseAnswer(incoming.statusCode ?? 0, incoming.statusMessage ?? "", text)),
            (error) => resolve(noAnswer(errorCode(error))),
          );
        },
      );
      outgoing.on("error", (error) => resolve(noAnswer(errorCode(error))));
      outgoing.end(body);
    });
  }

  return {
    get: (ticket, path, params = {}) => call("GET", path, encodeParams(params), ticket),
    open: (method, path, params = {}) => call(method, path, encodeParams(params), undefined),
    close: () => agent.destroy(),
  };
}
