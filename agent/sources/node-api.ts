import type { ApiError } from "../pve/answer.ts";

/** Why the node's API gave nothing, as a person would say it. */
export function apiProblem({ status, reason }: ApiError): string {
  if (status !== 0) return `local API: ${status} ${reason}`;
  return `local API: ${reason === "ECONNREFUSED" ? "nobody listens, is pvedaemon running?" : reason}`;
}
