import type { SavedJobTimes } from "../../hub/core/backup-due.ts";

/** For tests in which no hub starts again. */
export const nothingKept: SavedJobTimes = { read: () => undefined, write: () => undefined };
