export const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
} as const;

/** For the page of Proxmox VE, which is of another origin: that it may read the answer. */
export const corsHeaders = (origin: string | undefined): Record<string, string> => ({
  vary: "Origin",
  ...(origin === undefined
    ? {}
    : {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "etag, retry-after, content-disposition",
        "cross-origin-resource-policy": "cross-origin",
      }),
});
