import { type RefusalKind, refusals } from "#protocol/api.ts";
import type { Permission } from "#protocol/viewer.ts";

/** A request that is refused and whose sender should know why: `message` names the field and the remedy. Anything else thrown is a bug. */
export class Refusal extends Error {
  readonly status: (typeof refusals)[RefusalKind];

  constructor(
    readonly code: RefusalKind,
    message: string,
    readonly details: { field?: string; retryAfterSec?: number; needs?: readonly Permission[] } = {},
  ) {
    super(message);
    this.status = refusals[code];
  }
}
