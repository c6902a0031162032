/** What was thrown, in words: for a report or an answer. */
export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What was thrown and where: for the log, when it is a mistake of this program. */
export const errorTrace = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/** The code of an error of Node's file functions (`ENOENT`, `EACCES` …); one without counts as `EIO`. */
export function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "EIO";
}
