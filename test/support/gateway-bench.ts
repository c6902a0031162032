import { createHash, createPublicKey, verify, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { generate } from "selfsigned";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import { type Assertion, assertionBytes, assertionHeader, assertionSchema } from "#protocol/viewer.ts";
import { createGateway } from "../../agent/gateway/gateway.ts";
import { loadIdentity } from "../../agent/identity.ts";
import { startTestLab } from "./lab-client.ts";

export type HubRequest = {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
  assertion: Assertion | undefined;
};
export type HubReply = { status: number; headers?: Record<string, string>; body?: string; open?: true };

/** A hub as a gateway sees it: keeps what it is asked, checks signatures, answers as the test says. */
async function startScriptedHub(t: TestContext, publicKey: string) {
  const { cert, private: key } = await generate([{ name: "commonName", value: "proven-hub" }], { keyType: "ec" });
  const requests: HubRequest[] = [];
  const hub = {
    requests,
    fingerprint: new X509Certificate(cert).fingerprint256,
    port: 0,
    answer: (_request: HubRequest): HubReply => ({ status: 200, headers: { "content-type": "application/json" }, body: "{}" }),
  };
  const server = createServer({ cert, key }, async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const header = incoming.headers[assertionHeader];
    const assertion = typeof header === "string" ? opened(header, publicKey, body) : undefined;
    const seen = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
      body: body.toString(),
      assertion,
    };
    requests.push(seen);
    const { status, headers = {}, body: text = "", open } = hub.answer(seen);
    response.writeHead(status, headers);
    if (open) response.write(text);
    else response.end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  hub.port = (server.address() as AddressInfo).port;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return hub;
}

/** Undefined: not signed by this key, or of another body. */
function opened(header: string, publicKey: string, body: Buffer): Assertion | undefined {
  const [payload = "", signature = ""] = header.split(".");
  const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
  if (!verify(null, assertionBytes(payload), key, Buffer.from(signature, "base64url"))) return undefined;
  const assertion = assertionSchema.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
  return assertion.bodySha256 === createHash("sha256").update(body).digest("hex") ? assertion : undefined;
}

export type BrowserRequest = {
  method?: string;
  user?: string | null;
  origin?: string | null;
  headers?: Record<string, string>;
  body?: string;
  /** Where it comes from. */
  localAddress?: string;
};
export type BrowserAnswer = { status: number; headers: IncomingMessage["headers"]; body: string };

export const cluster = "00000000000000aa" as ClusterId;

/** The real gateway of node pve1 in front of the lab's API and a scripted hub. */
export async function startGateway(
  t: TestContext,
  options: { pinned?: string; apiUrl?: string; port?: number; times?: Parameters<typeof createGateway>[0]["times"] } = {},
) {
  const { lab, clock } = await startTestLab(t);
  const identity = loadIdentity(join(lab.dir, "gateway-state"));
  const hub = await startScriptedHub(t, identity.publicKey);
  const root = lab.tree.root("pve1");
  const logged: string[] = [];
  const parts = createGateway({
    config: { enabled: true, listen: "127.0.0.1", port: options.port ?? 0, pvePort: 8006, panel: join(lab.dir, "panel") },
    root,
    apiUrl: options.apiUrl ?? `http://127.0.0.1:${lab.apiPorts.get("pve1")}`,
    hubFiles: {
      root,
      stateDir: join(lab.dir, "gateway-state"),
      configured: { url: `wss://127.0.0.1:${hub.port}/agent`, fingerprint: options.pinned ?? hub.fingerprint },
    },
    identity,
    clock,
    log: (_, message) => logged.push(message),
    self: () => ({ node: "pve1" as NodeName, clusterId: cluster }),
    ...(options.times === undefined ? {} : { times: options.times }),
  });
  const over = new AbortController();
  await parts.gateway.refresh();
  const running = parts.gateway.run(over.signal, clock);
  t.after(async () => {
    over.abort();
    await running;
    parts.close();
  });

  /** A request as the browser on `https://127.0.0.1:8006` makes it; `user`'s cookie and CSRF token go along. */
  function open(path: string, options: BrowserRequest = {}): Promise<IncomingMessage> {
    const { method = "GET", user = "root@pam", origin = "https://127.0.0.1:8006", headers = {}, body = "" } = options;
    const { localAddress = "127.0.0.1" } = options;
    const write = !["GET", "HEAD", "OPTIONS"].includes(method);
    const sent = {
      ...(origin === null ? {} : { origin }),
      ...(user === null ? {} : { cookie: `PVEAuthCookie=${encodeURIComponent(lab.ticket(user))}` }),
      ...(write && user !== null ? { csrfpreventiontoken: lab.csrfToken(user), "proven-request": "1" } : {}),
      ...(body === "" ? {} : { "content-type": "application/json" }),
      "content-length": String(Buffer.byteLength(body)),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const { port } = parts.gateway;
      const outgoing = request(
        { host: "127.0.0.1", localAddress, port, path, method, headers: sent, rejectUnauthorized: false, agent: false },
        resolve,
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }

  async function ask(path: string, options: BrowserRequest = {}): Promise<BrowserAnswer> {
    const incoming = await open(path, options);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks).toString("utf8") };
  }

  return { lab, clock, hub, root, logged, ask, open, ...parts };
}
