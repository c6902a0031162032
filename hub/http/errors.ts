import type { Hook } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { ApiError } from "#protocol/api.ts";
import { errorSchema } from "#protocol/api.ts";
import { Refusal } from "../core/refusal.ts";
import { describeError } from "../log.ts";
import type { Log } from "../ports.ts";
import type { HubContext, HubEnv } from "./env.ts";

/** What was asked for may stand in it: cut, so that no long question comes back whole. */
const textMax = 1000;

const body = (code: string, message: string, field?: string): ApiError => ({
  error: { code, message: message.slice(0, textMax), ...(field === undefined ? {} : { field: field.slice(0, textMax) }) },
});

export function answerRefusal(c: HubContext, refusal: Refusal): Response {
  const { field, retryAfterSec, needs } = refusal.details;
  if (retryAfterSec !== undefined) c.header("Retry-After", String(retryAfterSec));
  if (refusal.status === 401) c.header("WWW-Authenticate", 'Bearer realm="proven"');
  const answer = body(refusal.code, refusal.message, field);
  return c.json(needs === undefined ? answer : { error: { ...answer.error, needs } }, refusal.status);
}

/** Refusals are told; anything else thrown is a bug: the journal gets it, the caller no detail. */
export function errorHandler(log: Log) {
  return (error: unknown, c: HubContext): Response => {
    if (error instanceof Refusal) return answerRefusal(c, error);
    // Hono's own: a body that is no JSON.
    if (error instanceof HTTPException && error.status < 500) {
      return c.json(body("invalid", error.message || "the request could not be understood"), error.status);
    }
    log(3, `${c.req.method} ${c.req.path} failed: ${describeError(error)}`);
    return c.json(body("internal", "The hub failed on this request; its journal says why"), 500);
  };
}

/** Names the first field that is wrong. */
export const validationHook: Hook<unknown, HubEnv, string, unknown> = (result, c) => {
  if (result.success) return undefined;
  const [issue] = result.error.issues;
  const field = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : issue?.path.join(".");
  return c.json(body("invalid", issue?.message ?? "invalid request", field || undefined), 400);
};

const answer = (description: string) => ({ description, content: { "application/json": { schema: errorSchema } } });

/** Errors every route may answer with, for the documentation. */
export const commonErrors = {
  400: answer("The request is invalid; `field` names what"),
  401: answer("No key or session, or one that is wrong or expired"),
  403: answer("The key's scopes, or the user's privileges in Proxmox VE, don't allow it"),
  404: answer("There is no such thing, or none that the user may see"),
  429: answer("Too many requests or wrong keys: `Retry-After` says when to come back"),
} as const;
