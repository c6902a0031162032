import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Refusal } from "../core/refusal.ts";
import type { HubEnv } from "./env.ts";

/**
 * Refuses bodies of more than `maxBytes`. Nearly all requests say their length, which Node's parser holds them to: these are judged by it.
 * Hono's own way looks at the body and so makes a web stream of each, which costs more than most answers; the others go that way.
 */
export function limitBody(maxBytes: number): MiddlewareHandler<HubEnv> {
  const refuse = (): never => {
    throw new Refusal("too-large", `a request body may have ${maxBytes} bytes`);
  };
  const counting = bodyLimit({ maxSize: maxBytes, onError: refuse });
  return (c, next) => {
    const length = c.req.header("Content-Length");
    if (length === undefined || c.req.header("Transfer-Encoding") !== undefined) {
      return c.req.method === "GET" || c.req.method === "HEAD" ? next() : counting(c, next);
    }
    return Number(length) > maxBytes ? refuse() : next();
  };
}
