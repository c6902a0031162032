import * as z from "zod";
import { pushSubscriptionSchema } from "#protocol/notifications.ts";
import { epochMs } from "../core/document-parts.ts";

/** Kinds of documents that delivery keeps beside receivers and deliveries. */
export const receiverKinds = {
  /** Why the hub disabled a receiver: it wanted nothing more. Gone when somebody changes it; id: the receiver's. */
  receiverRefusal: { audited: false, schema: z.strictObject({ problem: z.string(), at: epochMs }) },
  /** A browser that asked for push messages; id: SHA-256 of its endpoint. */
  pushSubscription: {
    audited: false,
    schema: z.strictObject({
      subscription: pushSubscriptionSchema,
      user: z.string(),
      /** Id of the API key that it was asked with; absent: by a Proxmox VE user. */
      key: z.string().optional(),
      createdAt: epochMs,
      /** When its owner was last known to see everything; absent: it was subscribed when nobody asked yet. */
      confirmedAt: epochMs.optional(),
    }),
  },
} as const;
