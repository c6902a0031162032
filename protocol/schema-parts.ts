import * as z from "zod/mini";
import { type Vmid, vmidRange } from "./ids.ts";

/**
 * What the schemas of the link are made of. zod/mini: the agent carries this file.
 *
 * What one side tells (facts, alerts, results) and what the two need to find a common version is a `z.object`: fields of a newer side are passed
 * over, the rest counts. What has something done, and what carries a right or a key, is a `z.strictObject`: half understood it is not done.
 */

export const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max));
export const int = z.int().check(z.nonnegative());
export const list = <T extends z.ZodMiniType>(item: T, max: number) => z.array(item).check(z.maxLength(max));
export const base64 = (max: number) => z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/), z.maxLength(max));
export const vmid = z.int().check(z.minimum(vmidRange.min), z.maximum(vmidRange.max));
/** The same, as the number it was checked to be. */
export const checkedVmid = vmid as unknown as z.ZodMiniType<Vmid, number>;
