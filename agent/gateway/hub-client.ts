import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";
import {
  type Assertion,
  assertionBytes,
  assertionHeader,
  type Permission,
  type Precondition,
  preconditionRounds,
  viewPath,
} from "#protocol/viewer.ts";
import type { PlaceFound } from "../hub-place.ts";
import type { Identity } from "../identity.ts";
import type { Told } from "./viewers.ts";

export type Forwarded = {
  method: Assertion["method"];
  /** With its query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
};
export type HubAnswer =
  | { ok: true; response: IncomingMessage }
  | { ok: false; why: "no-hub" | "unreachable" | "broken"; problem: string }
  | { ok: false; why: "forbidden"; problem: string };

export type HubClientPorts = {
  identity: Identity;
  now(): number;
  self(): { cluster: string; node: string } | undefined;
  findHub(): Promise<PlaceFound>;
};

/** Asks PVE whether the user of this request holds these; undefined: PVE can't be asked. */
export type Grants = (needs: readonly Permission[]) => Promise<Permission[] | undefined>;

const answerWithinMs = 30_000;

/** Requests to the hub with what this agent vouches for. The hub is known by its pinned certificate, as on the link. */
export class HubClient {
  private readonly agents = new Map<string, Agent>();

  constructor(private readonly ports: HubClientPorts) {}

  /** Repeats after the hub's questions (428); those never reach the browser. */
  async forward(what: Forwarded, told: Told, grants: Grants, signal: AbortSignal): Promise<HubAnswer> {
    let granted: Permission[] = [];
    for (let round = 0; round <= preconditionRounds; round++) {
      const answer = await this.asserted(what, told, granted, signal);
      if (!answer.ok || answer.response.statusCode !== 428) return answer;
      const asked = preconditionOf(await textOf(answer.response));
      if (asked?.code === "view-needed") {
        const problem = await this.leaveView(told, signal);
        if (problem !== undefined) return problem;
      } else if (asked?.code === "privilege-needed") {
        const held = await grants(asked.needs);
        if (held === undefined) return { ok: false, why: "broken", problem: "Proxmox VE could not be asked for your privileges" };
        const missing = asked.needs.find((need) => !held.includes(need));
        if (missing !== undefined)
          return { ok: false, why: "forbidden", problem: `this needs ${missing.privilege} on ${missing.path} in Proxmox VE` };
        granted = [...granted, ...held];
      } else break;
    }
    return { ok: false, why: "broken", problem: "the hub asked what this gateway can't answer: do their versions fit?" };
  }

  /** Vouches anew for a user while a stream of his is open. Undefined: done. */
  async leaveView(told: Told, signal: AbortSignal): Promise<Extract<HubAnswer, { ok: false }> | undefined> {
    const what: Forwarded = {
      method: "PUT",
      path: viewPath(told.digest),
      headers: { "content-type": "application/json" },
      body: Buffer.from(told.json),
    };
    const answer = await this.asserted(what, told, [], signal);
    if (!answer.ok) return answer;
    answer.response.resume();
    if (answer.response.statusCode === 204) return undefined;
    return { ok: false, why: "broken", problem: `the hub did not take what the user sees (${answer.response.statusCode})` };
  }

  /** A file of the panel, which anybody may read. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HubAnswer> {
    return this.send({ method: "GET", path, headers, body: Buffer.alloc(0) }, signal);
  }

  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
  }

  private async asserted(what: Forwarded, told: Told, granted: Permission[], signal: AbortSignal): Promise<HubAnswer> {
    const { identity, now, self } = this.ports;
    const agent = self();
    if (agent === undefined) return { ok: false, why: "no-hub", problem: "this node does not know its cluster yet" };
    const assertion: Assertion = {
      agent,
      user: told.user,
      view: told.digest,
      viewAt: told.viewAt,
      method: what.method,
      path: what.path,
      bodySha256: createHash("sha256").update(what.body).digest("hex"),
      granted,
      at: now(),
      nonce: randomBytes(16).toString("hex"),
    };
    const payload = Buffer.from(JSON.stringify(assertion)).toString("base64url");
    const signature = Buffer.from(identity.sign(assertionBytes(payload)), "base64").toString("base64url");
    return this.send({ ...what, headers: { ...what.headers, [assertionHeader]: `${payload}.${signature}` } }, signal);
  }

  private async send({ method, path, headers, body }: Forwarded, signal: AbortSignal): Promise<HubAnswer> {
    const found = await this.ports.findHub();
    if (!found.ok) return { ok: false, why: "no-hub", problem: found.problem };
    const { hostname, port } = new URL(found.place.url);
    const host = hostname.replace(/^\[|\]$/g, "");
    return new Promise((resolve) => {
      const unreachable = (error: Error) => resolve({ ok: false, why: "unreachable", problem: error.message });
      const outgoing = request(
        {
          agent: this.agentFor(found.place.accepts ?? [found.place.fingerprint]),
          method,
          host,
          port: port === "" ? 443 : Number(port),
          path,
          headers: { ...headers, "content-length": body.length },
          signal,
        },
        (response) => {
          outgoing.setTimeout(0); // a stream may be silent between its beats
          resolve({ ok: true, response });
        },
      );
      outgoing.setTimeout(answerWithinMs, () => outgoing.destroy(new Error(`no answer within ${answerWithinMs / 1000} s`)));
      outgoing.on("error", unreachable);
      outgoing.end(body);
    });
  }

  /** One pool for what is accepted: connections by a certificate that no longer is are not used again. */
  private agentFor(accepts: readonly string[]): Agent {
    const key = accepts.join(" ");
    const known = this.agents.get(key);
    if (known !== undefined) return known;
    for (const agent of this.agents.values()) agent.destroy();
    this.agents.clear();
    const agent = new PinnedAgent(accepts);
    this.agents.set(key, agent);
    return agent;
  }
}

/** Nothing is sent before the certificate's fingerprint fits. */
class PinnedAgent extends Agent {
  constructor(private readonly accepts: readonly string[]) {
    super({ keepAlive: true, maxSockets: 64, maxFreeSockets: 4, timeout: 60_000 });
  }

  override createConnection(options: RequestOptions, done?: (error: Error | null, socket: Duplex) => void): undefined {
    const host = String(options.host ?? "127.0.0.1");
    const { accepts } = this;
    const socket = connect({
      host,
      port: Number(options.port),
      // The pin is stricter than any authority: no list of them is made.
      rejectUnauthorized: false,
      ca: [],
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const fail = (error: Error) => done?.(error, socket);
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      socket.off("error", fail);
      const seen = socket.getPeerCertificate().fingerprint256;
      if (accepts.includes(seen ?? "")) return done?.(null, socket);
      socket.destroy();
      fail(new Error(`the hub's certificate has fingerprint ${seen}, expected ${accepts.join(" or ")}`));
    });
  }
}

function preconditionOf(text: string): Precondition["error"] | undefined {
  try {
    return (JSON.parse(text) as Precondition).error;
  } catch {
    return undefined;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8").slice(0, 65_536);
}
