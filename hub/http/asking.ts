import { addressOf, type HubContext } from "./env.ts";

/** What is looked at of a request to know who sends it, whichever way it came in. */
export interface Asking {
  readonly method: string;
  readonly path: string;
  /** Path and query as they stand in the request line. */
  readonly line: string;
  /** The peer of the connection, as addressOf() has it. */
  readonly address: string;
  /** Whom it was sent to: the Host header. */
  readonly host: string;
  header(name: string): string | undefined;
  body(): Promise<Uint8Array>;
}

export function askingOf(c: HubContext): Asking {
  return {
    method: c.req.method,
    path: c.req.path,
    address: addressOf(c),
    header: (name) => c.req.header(name),
    body: async () => new Uint8Array(await c.req.arrayBuffer()),
    get line() {
      return c.env?.incoming?.url ?? lineOf(c.req.url);
    },
    get host() {
      return c.req.header("Host") ?? new URL(c.req.url).host;
    },
  };
}

function lineOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
