/** What was thrown, in words: for an answer, a report or an error of one's own. */
export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** errno(3) of Linux, which LMDB gives as numbers: no space, over quota, read-only, input/output error; and its own for a full map. */
const diskCodes: ReadonlySet<unknown> = new Set([28, 122, 30, 5, -30_792, "ENOSPC", "EDQUOT", "EROFS", "EIO"]);

/** Whether something could not be written because of the disk, and not for what was to be written. */
export const isDiskFault = (error: unknown): boolean => error instanceof Error && "code" in error && diskCodes.has(error.code);
