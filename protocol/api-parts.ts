import * as z from "zod";
import { epochMsMax, vmidRange } from "./ids.ts";

/** What the schemas of the API, and of documents that are kept, are made of. All of zod, which the hub has: agents load schema-parts.ts instead. */

/** Wall clock, ms since the Unix epoch, UTC. */
export const epochMs = z.int().nonnegative().max(epochMsMax);
export const text = (max: number) => z.string().min(1).max(max);
export const vmid = z.int().min(vmidRange.min).max(vmidRange.max);
