import type { Notification } from "#protocol/notifications.ts";
import type { ReceiverStanding } from "../core/fact-samples.ts";

/**
 * Takes over notifications. Called inside the store's transaction that also records them as told (StateStore.together), so what it writes
 * there (a `delivery` document) and that record become durable as one: it has to be synchronous, write to the same store only, and start
 * sending afterwards. A second notification with a known id is the same one and must be ignored.
 */
export interface Dispatcher {
  enqueue(notification: Notification): void;
  /** The transaction is over: what was enqueued is durable, sending may begin. */
  committed(): void;
  /** Which receivers nothing reaches and which are well; those of which nobody knows are not named. */
  standings?(): ReceiverStanding[];
}
