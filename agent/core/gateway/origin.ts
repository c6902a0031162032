/**
 * Whether a page of this origin may use the gateway: the Proxmox VE page of the very host name the browser typed, or the gateway's own. Another
 * name of the same machine has other cookies, so nothing is lost by strictness. `host`: the Host header, `pvePort`: where pveproxy listens.
 */
export function originAllowed(origin: string, host: string | undefined, pvePort: number): boolean {
  const name = hostName(host);
  if (name === undefined) return false;
  return (
    origin === `https://${name}:${pvePort}` || origin === `https://${host}` || (pvePort === 443 && origin === `https://${name}`)
  );
}

/** Name or address of a Host header, without the port; undefined: none that a browser would send. */
export function hostName(host: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?)(:\d{1,5})?$/i.exec(host ?? "")?.[1];
}

/** Headers of the browser that go on to the hub. Cookies, CSRF tokens and what a client could say of itself stay here. */
export const forwardedHeaders = ["accept", "content-type", "if-none-match", "last-event-id", "accept-language"] as const;
/** Headers of the hub that go back. */
export const returnedHeaders = [
  "content-type",
  "content-disposition",
  "cache-control",
  "etag",
  "retry-after",
  "last-modified",
] as const;
/** A page may send these; the browser asks first. */
export const allowedRequestHeaders = "content-type, csrfpreventiontoken, if-none-match, last-event-id, proven-request";
