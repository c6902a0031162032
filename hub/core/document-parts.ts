import * as z from "zod";
import { type ClusterId, type EpochMs, type NodeName, parseClusterId, parseEpochMs, parseNodeName } from "#protocol/ids.ts";

/** What the hub's documents are made of: values that were parsed once, with the types that say so. */

export const epochMs = z.custom<EpochMs>((value) => parseEpochMs(value) !== undefined, "not a time");
export const cluster = z.custom<ClusterId>((value) => parseClusterId(value) !== undefined, "not a cluster id");
export const node = z.custom<NodeName>((value) => parseNodeName(value) !== undefined, "not a node name");
/** SHA-256. */
export const hexHash = z.string().regex(/^[0-9a-f]{64}$/);
