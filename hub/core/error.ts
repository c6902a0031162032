/** What was thrown, in words: for an answer, a report or an error of one's own. */
export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
