import type { Hook } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ZodError } from "zod";
import type { ApiError } from "#protocol/api.ts";
import { errorSchema } from "#protocol/api.ts";
import { isDiskFault } from "../core/error.ts";
import { Refusal } from "../core/refusal.ts";
import { describeError } from "../log.ts";
import type { Log } from "../ports.ts";
import type { HubContext, HubEnv } from "./env.ts";

/** What was asked for may stand in it: cut, so that no long question comes back whole. */
const textMax = 1000;

const body = (code: string, message: string, field?: string): ApiError => ({
  error: { code, message: message.slice(0, textMax), ...(field === undefined ? {} : { field: field.slice(0, textMax) }) },
});

type ErrorAnswer = { status: ContentfulStatusCode; headers: Record<string, string>; body: object };

function refusalAnswer(refusal: Refusal): ErrorAnswer {
  const { field, retryAfterSec, needs } = refusal.details;
  const headers = {
    ...(retryAfterSec === undefined ? {} : { "Retry-After": String(retryAfterSec) }),
    ...(refusal.status === 401 ? { "WWW-Authenticate": 'Bearer realm="proven"' } : {}),
  };
  const answer = body(refusal.code, refusal.message, field);
  return { status: refusal.status, headers, body: needs === undefined ? answer : { error: { ...answer.error, needs } } };
}

/** The hub's disk is full, or fails. */
const diskRefusal = new Refusal(
  "disk-full",
  "the hub's disk takes nothing, so nothing was changed: make room where the hub keeps its state, then try again",
);

/** Refusals are told; anything else thrown is a bug: the journal gets it, the caller no detail. */
export function errorAnswer(error: unknown, request: string, log: Log): ErrorAnswer {
  if (error instanceof Refusal) return refusalAnswer(error);
  // Hono's own: a body that is no JSON.
  if (error instanceof HTTPException && error.status < 500) {
    return { status: error.status, headers: {}, body: body("invalid", error.message || "the request could not be understood") };
  }
  log(3, `${request} failed: ${describeError(error)}`);
  if (isDiskFault(error)) return refusalAnswer(diskRefusal);
  return { status: 500, headers: {}, body: body("internal", "The hub failed on this request; its journal says why") };
}

const answered = (c: HubContext, { status, headers, body }: ErrorAnswer) => c.json(body, status, headers);

export const answerRefusal = (c: HubContext, refusal: Refusal): Response => answered(c, refusalAnswer(refusal));

export const errorHandler =
  (log: Log) =>
  (error: unknown, c: HubContext): Response =>
    answered(c, errorAnswer(error, `${c.req.method} ${c.req.path}`, log));

/** As Hono says it. */
export const malformedJson = () => new Refusal("invalid", "Malformed JSON in request body");

/** Names the first field that is wrong. */
export function problemOf({ issues: [issue] }: Pick<ZodError, "issues">): Refusal {
  const field = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : issue?.path.join(".");
  return new Refusal("invalid", issue?.message ?? "invalid request", field ? { field } : {});
}

export const validationHook: Hook<unknown, HubEnv, string, unknown> = (result, c) =>
  result.success ? undefined : answerRefusal(c, problemOf(result.error));

const answer = (description: string) => ({ description, content: { "application/json": { schema: errorSchema } } });

/** Errors every route may answer with, for the documentation. */
export const commonErrors = {
  400: answer("The request is invalid; `field` names what"),
  401: answer("No key or session, or one that is wrong or expired"),
  403: answer("The key's scopes, or the user's privileges in Proxmox VE, don't allow it"),
  404: answer("There is no such thing, or none that the user may see"),
  409: answer("It does not fit what is there now, or which cluster is meant has to be said"),
  413: answer("The request, or what it asks for, is too large"),
  429: answer("Too many requests or wrong keys: `Retry-After` says when to come back"),
  503: answer("An agent that is needed is not there, or the hub takes no more for now"),
  507: answer("The hub's disk is full or fails: nothing was changed"),
} as const;
