/**
 * Whether what was asked at `askedAt` is to be asked again at `now`. A time before the question is one too: a clock that was ahead and has been
 * set would else keep an hour-old answer on the page for an hour.
 */
export const isDue = (askedAt: number, everyMs: number, now: number): boolean => now < askedAt || now - askedAt >= everyMs;
