import type { EpochMs } from "#protocol/ids.ts";
import type { StateStore } from "../store/state.ts";

/** A command line that can't be followed; `message` says what to write. */
export class UsageError extends Error {}

export type Say = (line: string) => void;
export type CommandPorts = {
  state: StateStore;
  now: EpochMs;
  user: string;
  fingerprint: () => Promise<string>;
  /** Where this hub takes agents, as far as it can tell: the first is the likeliest. */
  agentUrls: () => string[];
  say: Say;
};
/** A verb of `proven-hub` that works on the state store. */
export type Command = { usage: string; run: (args: string[], ports: CommandPorts) => Promise<void> | void };

/** @throws UsageError */
export function positive(text: string, name: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) throw new UsageError(`--${name}: a whole number from 1 to ${max}`);
  return value;
}

/** The one argument of a verb. @throws UsageError */
export function only(args: readonly string[], name: string): string {
  const [value, ...rest] = args;
  if (value === undefined || rest.length > 0) throw new UsageError(`give one ${name}`);
  return value;
}

/** `2026-11-23`, UTC. */
export const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
