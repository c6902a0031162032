import * as z from "zod/mini";

/** What the schemas of the link are made of. zod/mini: the agent carries this file. */

export const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max));
export const int = z.int().check(z.nonnegative());
export const list = <T extends z.ZodMiniType>(item: T, max: number) => z.array(item).check(z.maxLength(max));
export const base64 = (max: number) => z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/), z.maxLength(max));
export const vmid = z.int().check(z.minimum(100), z.maximum(999_999_999));
