import type { MiddlewareHandler } from "hono";
import type { HubEnv } from "./env.ts";

/** Nothing from elsewhere runs or loads, nothing inline either. */
const policy = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const always: readonly (readonly [name: string, value: string])[] = [
  ["Content-Security-Policy", policy],
  ["X-Content-Type-Options", "nosniff"],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Opener-Policy", "same-origin"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["X-Frame-Options", "DENY"],
];

const notShared: readonly [name: string, value: string] = ["Cache-Control", "private, no-cache"];

/** Those of an answer of the API, name and value in turn: as writeHead() takes them, all at once and without a look at each. */
export const apiHeaders: readonly string[] = [...always, notShared].flat();

/**
 * Behind Node's server they stand on its own response before the answer is made, where the answer's headers join them: in a web Headers
 * they would cost more than a small answer does.
 */
export const securityHeaders: MiddlewareHandler<HubEnv> = async (c, next) => {
  const { path } = c.req;
  const outgoing = c.env?.outgoing;
  if (outgoing !== undefined) {
    for (const [name, value] of always) outgoing.setHeader(name, value);
    if (path.startsWith("/api/")) outgoing.setHeader(...notShared);
    await next();
    return;
  }
  await next();
  const { headers } = c.res;
  for (const [name, value] of always) headers.set(name, value);
  if (path.startsWith("/api/") && !headers.has("Cache-Control")) headers.set(...notShared);
};
