import type * as z from "zod";
import type { FieldProblem } from "#protocol/alerting.ts";
import { isDiskFault } from "../core/error.ts";
import { Refusal } from "../core/refusal.ts";
import type { Actor, StateStore } from "../store/state.ts";
import type { HubContext } from "./env.ts";
import type { HttpPorts } from "./ports.ts";

/** What routes about documents that people edit have in common. */

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
export const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { "application/json": { schema } } });

export const actorOf = (c: HubContext, reason: string): Actor => ({ actor: c.get("caller").user, reason });

/** For what has to go on where nothing can be written, as signing in to look why: then the journal alone has it. */
export function noteIfPossible({ state, log }: Pick<HttpPorts, "state" | "log">, ...note: Parameters<StateStore["note"]>): void {
  try {
    state.note(...note);
  } catch (error) {
    if (!isDiskFault(error)) throw error;
    const [action, kind, id, { actor, reason }] = note;
    log(3, `not in the audit log, as the disk takes nothing: ${action} ${kind} ${id} by ${actor}: ${reason}`);
  }
}

/** @throws Refusal that names the first problem's field and remedy. */
export function refuseProblems([first]: readonly FieldProblem[]): void {
  if (first === undefined) return;
  throw new Refusal("invalid", `${first.problem}. ${first.remedy}`, { field: first.field });
}

/** @throws Refusal when there is none. */
export function found<T>(document: T | undefined, what: string): T {
  if (document === undefined) throw new Refusal("not-found", `there is no ${what}`);
  return document;
}

/** @throws Refusal when the body names another document than the address. */
export function checkSameId(inAddress: string, inBody: string): void {
  if (inAddress !== inBody) throw new Refusal("invalid", `the body's id is ${inBody}: use ${inAddress}`, { field: "id" });
}

/** What a schema finds wrong, as problems with a remedy each. */
export function schemaProblems(error: z.ZodError): FieldProblem[] {
  return error.issues.map((issue) => {
    const field = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]].join(".") : issue.path.join(".");
    return { field, problem: problemText(issue), remedy: remedyOf(issue) };
  });
}

type Issue = z.ZodError["issues"][number];

const problemText = (issue: Issue) => (issue.code === "invalid_type" ? `It is missing, or no ${issue.expected}` : issue.message);

function remedyOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return `Give a ${issue.expected}`;
    case "invalid_value":
      return `One of: ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `At least ${issue.minimum}`;
    case "too_big":
      return `At most ${issue.maximum}`;
    case "unrecognized_keys":
      return "Leave it out";
    case "not_multiple_of":
      return `A multiple of ${issue.divisor}`;
    default:
      return "See /api/v1/openapi.json";
  }
}
