import type { Answer, ApiProblem } from "../api.ts";

/** What was asked of the hub: not there yet, there, or not to be had. */
export type Loaded<T> = { state: "loading" } | { state: "there"; value: T } | { state: "failed"; problem: ApiProblem };

export const loading = { state: "loading" } as const;

export const loadedOf = <T>(answer: Answer<T>): Loaded<T> =>
  answer.ok ? { state: "there", value: answer.value } : { state: "failed", problem: answer.problem };
