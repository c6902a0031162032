/** Italian texts by their English ones. */
export const italian: Readonly<Record<string, string>> = {};
