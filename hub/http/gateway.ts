import { createHash, verify } from "node:crypto";
import * as z from "zod/mini";
import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import {
  type Assertion,
  assertionBytes,
  assertionHeader,
  assertionMaxBytes,
  assertionSchema,
  assertionTimes,
  type Permission,
  viewPath,
  viewSchema,
} from "#protocol/viewer.ts";
import { parsePublicKey } from "../agent-keys.ts";
import { BoundedMap } from "../core/limits.ts";
import { NonceBook } from "../core/nonce-book.ts";
import { Refusal } from "../core/refusal.ts";
import { agentKey } from "../core/series.ts";
import { type ClusterSight, withGranted } from "../core/viewer.ts";
import { knownCluster } from "../succession.ts";
import type { Asking } from "./asking.ts";
import type { Caller, Standing } from "./env.ts";
import type { HttpPorts } from "./ports.ts";
import { checkHeld, pveScopes } from "./pve-user.ts";
import { type KnownView, ViewBook } from "./view-book.ts";

const usersMax = 10_000;
/** Requests of a minute: of one gateway, of all, and what each has for itself however many the others send. */
const nonceBounds = { perAgent: 20_000, total: 200_000, share: 1000 };
/** What PVE said counts for viewMs, and clocks may differ by skewMs. */
const standingMs = assertionTimes.viewMs + assertionTimes.skewMs;

type GatewayPorts = Pick<HttpPorts, "state" | "clock" | "journal">;
type Told = { digest: string; viewAt: number; until: number };

/** Requests that agents' gateways forward, and what they vouch for. */
export class Gateways {
  private readonly views: ViewBook;
  /** What each user of each gateway was last said to see; `until` is monotonic ms. */
  private readonly told = new BoundedMap<string, Told>(usersMax);
  /** An assertion is taken while its time is within ±skewMs: twice that after its first use it isn't any more. */
  private readonly nonces = new NonceBook(nonceBounds, 2 * assertionTimes.skewMs + 1000);

  constructor(private readonly ports: GatewayPorts) {
    this.views = new ViewBook(ports.clock);
  }

  /** Undefined: no gateway forwards this. @throws Refusal */
  async identify(asking: Asking): Promise<Caller | undefined> {
    const header = asking.header(assertionHeader);
    if (header === undefined) return undefined;
    const assertion = await this.check(asking, header);
    const known = this.views.get(assertion.view);
    // A digest of another user's view says as little as one nobody knows.
    const fits = known?.cluster === assertion.agent.cluster && known.user === assertion.user;
    if (known === undefined || !fits) throw new Refusal("view-needed", `PUT ${viewPath(assertion.view)}, then ask again`);
    this.note(assertion);
    return this.callerOf(assertion, known);
  }

  /** `PUT /api/v1/gateway/views/<digest>`: the body is what the digest is of. @throws Refusal */
  async takeView(asking: Asking, digest: string): Promise<void> {
    const assertion = await this.check(asking, asking.header(assertionHeader) ?? "");
    const body = await asking.body();
    if (assertion.view !== digest || sha256(body) !== digest)
      throw new Refusal("invalid", "the body isn't what this digest is of");
    const view = viewSchema.safeParse(jsonOf(body));
    if (!view.success) throw new Refusal("invalid", `not a view: ${z.prettifyError(view.error).slice(0, 500)}`);
    const { user } = view.data;
    const cluster = knownCluster(this.ports.state, view.data.cluster as ClusterId);
    if (cluster !== assertion.agent.cluster || user !== assertion.user)
      throw new Refusal("forbidden", "the view is of another cluster or user than the assertion");
    this.views.put(digest, { ...view.data, cluster });
    this.note(assertion);
  }

  private async check(asking: Asking, header: string): Promise<Assertion> {
    const assertion = this.verified(header);
    if (assertion === undefined) throw this.refused("unknown", "no valid signature");
    const { node } = assertion.agent;
    const now = this.ports.clock.now();
    if (Math.abs(now - assertion.at) > assertionTimes.skewMs) {
      this.report(node, "the clock of its gateway differs too much");
      throw new Refusal("unauthenticated", `the clock of ${node} differs from the hub's by more than 30 s: set it right`);
    }
    if (assertion.viewAt > now + assertionTimes.skewMs || now - assertion.viewAt > standingMs)
      throw this.refused(node, "what it says a user sees is older than a minute");
    if (assertion.method !== asking.method || assertion.path !== asking.line)
      throw this.refused(node, "its assertion is of another request");
    if (sha256(await asking.body()) !== assertion.bodySha256) throw this.refused(node, "its assertion is of another body");
    const verdict = this.nonces.take(agentKeyOf(assertion), assertion.nonce, this.ports.clock.monotonicMs());
    if (verdict === "used") throw this.refused(node, "its assertion was used before");
    if (verdict === "too-many") throw new Refusal("overloaded", "too many forwarded requests in a minute: try again in the next");
    return assertion;
  }

  /** Undefined: not signed by an agent that may. */
  private verified(header: string): Assertion | undefined {
    const [encoded = "", signature = ""] = header.split(".");
    if (header.length > assertionMaxBytes) return undefined;
    const parsed = assertionSchema.safeParse(jsonOf(Buffer.from(encoded, "base64url")));
    if (!parsed.success) return undefined;
    const { state } = this.ports;
    const agent = { ...parsed.data.agent, cluster: knownCluster(state, parsed.data.agent.cluster as ClusterId) };
    const assertion: Assertion = { ...parsed.data, agent };
    const publicKey = state.get("agent", agentKeyOf(assertion))?.publicKey;
    const key = publicKey === null || publicKey === undefined ? undefined : parsePublicKey(publicKey);
    if (key === undefined) return undefined;
    const fits = verify(null, assertionBytes(encoded), key.key, Buffer.from(signature, "base64url"));
    return fits ? assertion : undefined;
  }

  /** Of a user with two tickets the gateway may know two views for a while: what PVE said last counts. */
  private note({ viewAt, view, ...assertion }: Assertion): void {
    const { clock } = this.ports;
    const user = userOf(assertion);
    if ((this.told.get(user)?.viewAt ?? 0) > viewAt) return;
    const age = Math.max(0, clock.now() - viewAt);
    this.told.set(user, { digest: view, viewAt, until: clock.monotonicMs() + standingMs - age });
  }

  private callerOf(assertion: Assertion, known: KnownView): Caller {
    const { user, agent, granted } = assertion;
    const sight = withGranted(known.sight, granted);
    const viewerOf = (one: ClusterSight) => ({ kind: "pve" as const, user, sights: new Map([[agent.cluster, one]]) });
    let first: Standing | undefined = { viewer: viewerOf(sight), mark: known.digest };
    return {
      by: "gateway",
      keyId: `gateway ${userOf(assertion)}`,
      user,
      scopes: pveScopes(known.sight),
      expiresAt: (this.ports.clock.now() + standingMs) as EpochMs,
      standing: () => {
        const present = this.standing(assertion);
        if (present === undefined || first?.mark === present.digest) return present === undefined ? undefined : first;
        first = { viewer: viewerOf(present.sight), mark: present.digest };
        return first;
      },
      ask: async (cluster, needs) => checkHeld(cluster === agent.cluster ? sight : undefined, needs, askGateway),
    };
  }

  /** What this user is now said to see; undefined: nobody has vouched for him lately, or the agent was revoked. */
  private standing(assertion: Assertion): KnownView | undefined {
    const told = this.told.get(userOf(assertion));
    if (told === undefined || told.until <= this.ports.clock.monotonicMs()) return undefined;
    if (typeof this.ports.state.get("agent", agentKeyOf(assertion))?.publicKey !== "string") return undefined;
    return this.views.get(told.digest);
  }

  private refused(node: string, problem: string): Refusal {
    this.report(node, problem);
    return new Refusal("unauthenticated", "the gateway's assertion is not valid");
  }

  private report(node: string, problem: string): void {
    this.ports.journal.emitRarely(`${node} gateway`, "agent.refused", { node, problem: `its gateway: ${problem}` }, { node });
  }
}

function askGateway(needs: readonly Permission[]): never {
  throw new Refusal("privilege-needed", "ask Proxmox VE whether the user holds these", { needs });
}

const agentKeyOf = ({ agent }: Pick<Assertion, "agent">) =>
  agentKey({ cluster: agent.cluster as ClusterId, node: agent.node as NodeName });
const userOf = (assertion: Pick<Assertion, "agent" | "user">) => `${agentKeyOf(assertion)} ${assertion.user}`;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Undefined: no JSON. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
