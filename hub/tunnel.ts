import { request as httpRequest } from "node:http";
import { Agent, type AgentOptions, request as httpsRequest, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import * as z from "zod";
import { readSecret } from "./secret-text.ts";

/** `[proxy]` of hub.toml: the way to the internet where there is no other. What may be in the own network is asked directly. */
export const proxyConfig = z
  .strictObject({
    /** `http://proxy:3128`, or `https://` where the proxy itself speaks TLS. */
    url: z.url({ protocol: /^https?$/, error: "must be http://host:port or https://host:port" }),
    /** HTTP basic authentication; needs password_file. */
    username: z.string().min(1).optional(),
    /** A file that holds the password and nothing else; readable by the hub only. */
    password_file: z.string().startsWith("/", "must be an absolute path").optional(),
  })
  .refine(({ url }) => !/^[a-z]+:\/\/[^/]*@/i.test(url), {
    error: "credentials don't belong in the URL, which is logged: use username and password_file",
    path: ["url"],
  })
  .refine(({ username, password_file }) => (username === undefined) === (password_file === undefined), {
    error: "give username with password_file, or neither",
  });

export type ProxyConfig = z.infer<typeof proxyConfig>;
export type HttpProxy = { url: URL; headers: Readonly<Record<string, string>> };

/** @throws with the file's name when the password can't be read. */
export function openProxy({ url, username, password_file }: ProxyConfig): HttpProxy {
  if (username === undefined || password_file === undefined) return { url: new URL(url), headers: {} };
  const credentials = Buffer.from(`${username}:${readSecret(password_file)}`).toString("base64");
  return { url: new URL(url), headers: { "proxy-authorization": `Basic ${credentials}` } };
}

/** A proxy that says nothing for so long is given up, ms. */
const tunnelMs = 30_000;

/** HTTPS through a proxy's CONNECT (RFC 9110 §9.3.6): the proxy resolves the name, and sees neither path nor content. */
export class TunnelAgent extends Agent {
  /** `check`: throws where nothing may be sent to this name. */
  constructor(
    private readonly proxy: HttpProxy,
    private readonly check: (hostname: string) => Promise<void>,
    options: AgentOptions,
  ) {
    super(options);
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | undefined {
    const host = String(options.host);
    const opened = this.check(host).then(() => this.tunnel(`${host.includes(":") ? `[${host}]` : host}:${options.port ?? 443}`));
    opened.then(
      (socket) => callback?.(null, tlsConnect({ ...(options as ConnectionOptions), socket })), // as https.Agent hands them to tls
      (error: Error) => callback?.(error, undefined as unknown as Duplex), // Node looks at the error first, and its types want both
    );
    return undefined;
  }

  private tunnel(target: string): Promise<Socket> {
    const { url, headers } = this.proxy;
    const request = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const asked = request(url, { method: "CONNECT", path: target, headers: { host: target, ...headers }, agent: false });
      asked.setTimeout(tunnelMs, () => asked.destroy(new Error(`the proxy ${url.host} did not answer`)));
      asked.once("connect", (answer, socket) => {
        socket.setTimeout(0);
        if (answer.statusCode === 200) return resolve(socket);
        socket.destroy();
        reject(new Error(`the proxy ${url.host} refused: ${answer.statusCode} ${answer.statusMessage ?? ""}`.trimEnd()));
      });
      asked.once("error", (error) => reject(new Error(`the proxy ${url.host}: ${error.message}`)));
      asked.end();
    });
  }
}
