import * as z from "zod";
import { credentialsAgree, credentialsHint, receiverKeys } from "../receiver.ts";

/** `[remote_write]` of hub.toml: samples are sent on to a Prometheus-compatible server as they come. */
export const remoteWriteConfig = z
  .strictObject({
    ...receiverKeys,
    /** Added to every series, such as `site = "milan"`. A label that a series has already wins. */
    labels: z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), z.string().min(1).max(1000)).default({}),
    /** What waits on disk while the server is away; the oldest is dropped beyond, which is counted and logged. */
    queue_max_mib: z.int().min(1).max(65_536).default(256),
    queue_max_hours: z.int().min(1).max(336).default(24),
  })
  .refine(credentialsAgree, credentialsHint);

export type RemoteWriteConfig = z.infer<typeof remoteWriteConfig>;
