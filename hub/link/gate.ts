import { createHmac, randomBytes, verify } from "node:crypto";
import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import { parseNodeName } from "#protocol/ids.ts";
import { helloBytes, joinProofBytes, type MessageOf, type RefusalCode, refusalCodes } from "#protocol/messages.ts";
import { keyChangeBytes } from "#protocol/renewal.ts";
import { linkVersions, negotiate } from "#protocol/version.ts";
import { asSpki, closeFormerPlaces, parsePublicKey } from "../agent-keys.ts";
import { joinTokenProblem } from "../core/keys.ts";
import { type AgentId, agentKey } from "../core/series.ts";
import { hashSecret, sameSecret } from "../secret-text.ts";
import type { AgentDocument } from "../store/documents.ts";
import type { StateStore } from "../store/state.ts";
import { formerPlace, knownCluster, namedByCopy, part, succeed } from "../succession.ts";
import { HelloGuard } from "./hello-guard.ts";

type Hello = MessageOf<"hello">["body"];
export type JoinWay = "join key" | "token";
export type Admission =
  | { ok: true; agent: AgentId; version: number; joinedBy: JoinWay | undefined }
  | { ok: false; code: RefusalCode; problem: string };

/** Of agents that are connected. */
export type GateSessions = {
  isHere(agent: AgentId): boolean;
  /** Its cluster as it names it; undefined: it is not connected. */
  namedBy(agent: AgentId): ClusterId | undefined;
  /** Ends those that name their cluster so; they come again. */
  endNamed(named: ClusterId): void;
};

export const newNonce = () => randomBytes(32).toString("base64");
const refuse = (code: RefusalCode, detail?: string): Admission => ({
  ok: false,
  code,
  problem: detail === undefined ? refusalCodes[code].text : `${refusalCodes[code].text}: ${detail}`,
});

/**
 * Decides who may open a session. The order matters: nothing of a hello is believed before its signature fits. Who is refused again and again has
 * to wait; an agent with the key that the hub knows never has to, whoever else comes from its address.
 */
export class Gate {
  private readonly guard: HelloGuard;

  constructor(
    private readonly ports: {
      state: StateStore;
      /** Of the certificates that an agent may have seen. */
      fingerprints: () => readonly string[];
      joinKey: () => Uint8Array | undefined;
      now: () => EpochMs;
      monotonicMs: () => number;
      sessions: GateSessions;
    },
  ) {
    this.guard = new HelloGuard(ports.monotonicMs);
  }

  /** `address`: where the hello came from. */
  admit(hello: Hello, nonce: string, address: string): Admission {
    const admission = this.judge(hello, nonce, address);
    if (!admission.ok) this.guard.note(address, admission.code);
    return admission;
  }

  private judge(hello: Hello, nonce: string, address: string): Admission {
    const versions = negotiate(linkVersions, hello);
    if (!versions.ok) return refuse(versions.tooOld === "hub" ? "hub-too-old" : "version-too-old");
    const node = parseNodeName(hello.node);
    if (node === undefined) return refuse("malformed", "node is not a node's name");
    const publicKey = parsePublicKey(hello.publicKey);
    if (publicKey === undefined) return refuse("malformed", "publicKey is no Ed25519 key");
    const named: AgentId = { cluster: hello.clusterId as ClusterId, node };
    const agent: AgentId = { cluster: knownCluster(this.ports.state, named.cluster), node };
    const known = this.ports.state.get("agent", agentKey(agent));
    const movedKey = this.ports.state.get("movedKey", agentKey(agent))?.publicKey;
    const isKnown = [known?.publicKey, known?.nextKey, movedKey].includes(publicKey.raw);
    if (!isKnown && this.guard.isLocked(address)) return refuse("rate-limited", "too many refused hellos");
    const signature = Buffer.from(hello.signature, "base64");
    const fits = (fingerprint: string) => verify(null, helloBytes({ ...hello, nonce, fingerprint }), publicKey.key, signature);
    if (!this.ports.fingerprints().some(fits)) return refuse("bad-signature");

    if (known?.revokedKeys.includes(publicKey.raw)) return refuse("revoked");
    if (named.cluster === agent.cluster) this.partFromCopy(agent, publicKey.raw);
    const again: Admission = { ok: true, agent, version: versions.version, joinedBy: undefined };
    if (known?.publicKey === publicKey.raw) return again;
    if (known?.nextKey === publicKey.raw) this.follow(agent, publicKey.raw);
    if (movedKey === publicKey.raw) this.comeBack(agent, publicKey.raw);
    if (isKnown) return again;
    if (known !== undefined && known.publicKey !== null) return refuse("key-changed");
    const { state, sessions } = this.ports;
    const former = formerPlace(state, agent, publicKey.raw, (one) => sessions.isHere(one));
    const place = former === undefined ? agent : { cluster: former.cluster, node };
    const admission = this.join(hello, nonce, place, publicKey.raw, versions.version);
    if (admission.ok && former !== undefined) succeed(state, named, former.cluster, this.ports.now());
    return admission;
  }

  /** Who is connected under the name that came after this one, with this key, is no successor but has a copy of its disk. */
  private partFromCopy(agent: AgentId, publicKey: string): void {
    const { state, sessions } = this.ports;
    const named = namedByCopy(state, agent.cluster, publicKey, (one) => sessions.namedBy(one));
    if (named === undefined) return;
    part(state, named, { actor: `agent ${agentKey(agent)}`, reason: "is here beside it, with the same key: one is a copy" });
    sessions.endNamed(named);
  }

  /** True while this agent may go on: false once it was revoked, perhaps by another process. */
  stillAdmitted(agent: AgentId): boolean {
    return typeof this.ports.state.get("agent", agentKey(agent))?.publicKey === "string";
  }

  /**
   * An agent that was let in wants to be known by another key. Until that is first used either is good, so that an answer that is lost locks nobody
   * out. `named`: its cluster, as it says it. False: it does not prove that it has the key, or was revoked meanwhile.
   */
  takeNextKey(agent: AgentId, named: ClusterId, nonce: string, offer: MessageOf<"key.next">["body"]): boolean {
    const next = parsePublicKey(offer.publicKey);
    const known = this.ports.state.get("agent", agentKey(agent));
    if (next === undefined || known === undefined || known.publicKey === null) return false;
    if (known.publicKey === next.raw || known.nextKey === next.raw) return true;
    if (known.revokedKeys.includes(next.raw)) return false;
    const publicKey = asSpki(known.publicKey);
    const signed = keyChangeBytes({ nonce, clusterId: named, node: agent.node, publicKey, nextKey: offer.publicKey });
    if (!verify(null, signed, next.key, Buffer.from(offer.signature, "base64"))) return false;
    const by = { actor: `agent ${agentKey(agent)}`, reason: "offers a new key" };
    this.ports.state.update("agent", agentKey(agent), by, (present) => present && { ...present, nextKey: next.raw });
    return true;
  }

  private follow(agent: AgentId, publicKey: string): void {
    const by = { actor: `agent ${agentKey(agent)}`, reason: "uses its new key" };
    this.ports.state.update("agent", agentKey(agent), by, (present) => {
      if (present === undefined || present.publicKey === null) return undefined;
      const { nextKey: _, ...rest } = present;
      closeFormerPlaces(this.ports.state, [present.publicKey], by);
      return { ...rest, publicKey, revokedKeys: [...present.revokedKeys, present.publicKey] };
    });
  }

  /** To the place that its machine had left: a cluster that was given up, or the original of a disk whose copy went there. */
  private comeBack(agent: AgentId, publicKey: string): void {
    const by = { actor: `agent ${agentKey(agent)}`, reason: "came back" };
    this.ports.state.remove("movedKey", agentKey(agent), by);
    this.ports.state.update("agent", agentKey(agent), by, (present) => present && { ...present, publicKey, revokedAt: null });
  }

  private join(hello: Hello, nonce: string, agent: AgentId, publicKey: string, version: number): Admission {
    if (hello.join === undefined) return refuse("not-joined");
    const joinedBy: JoinWay = "token" in hello.join ? "token" : "join key";
    const proof =
      "token" in hello.join
        ? this.spendToken(hello.join.token, agent, publicKey)
        : this.provesKey(hello, nonce, hello.join.proof);
    if (proof === "stranger")
      return refuse(
        "bad-join",
        `the agents of this cluster know no node ${agent.node} in it: revoke those that are no more, or join by the join key`,
      );
    if (!proof) return refuse("bad-join");
    const at = this.ports.now();
    const by = { actor: `agent ${agentKey(agent)}`, reason: `joined by ${joinedBy}` };
    this.ports.state.remove("movedKey", agentKey(agent), by);
    this.ports.state.update("agent", agentKey(agent), by, (present): AgentDocument => {
      const { cluster, node } = agent;
      const revokedKeys = present?.revokedKeys ?? [];
      return { cluster, node, clusterName: hello.clusterName ?? null, publicKey, revokedKeys, joinedAt: at, revokedAt: null };
    });
    return { ok: true, agent, version, joinedBy };
  }

  private provesKey(hello: Hello, nonce: string, proof: string): boolean {
    const key = this.ports.joinKey();
    if (key === undefined) return false;
    const bytes = joinProofBytes({ nonce, clusterId: hello.clusterId, publicKey: hello.publicKey });
    return sameSecret(createHmac("sha256", key).update(bytes).digest(), Buffer.from(proof, "base64"));
  }

  /**
   * A token says nothing of whom it is for, and which cluster an agent is of is its own word. So a cluster that has agents takes in by token only nodes
   * that one of these has as a member: else one site's administrator could join as another's node, and see and do all that its agents vouch for.
   */
  private isStranger({ cluster, node }: AgentId, publicKey: string): boolean {
    const { state } = this.ports;
    const others = state
      .list("agent", cluster)
      .filter(({ document }) => document.cluster === cluster && document.publicKey !== null && document.publicKey !== publicKey);
    const members = others.flatMap(({ id }) => state.get("inventory", id)?.inventory.cluster.members ?? []);
    return members.length > 0 && !members.some((member) => member.node === node);
  }

  /** `pvj_<id>_<secret>`: found by its id, spent in the transaction that finds it unused. A stranger's is not spent. */
  private spendToken(token: string, agent: AgentId, publicKey: string): boolean | "stranger" {
    const match = /^pvj_([0-9a-f]{12})_([0-9a-f]{48})$/.exec(token);
    if (match === null) return false;
    const [, id, secret] = match as unknown as [string, string, string];
    let spent: boolean | "stranger" = false;
    this.ports.state.update("joinToken", id, { actor: `agent ${agentKey(agent)}`, reason: "joined" }, (present) => {
      const fits = present !== undefined && sameSecret(Buffer.from(present.tokenHash), Buffer.from(hashSecret(secret)));
      if (!fits || joinTokenProblem(present, this.ports.now()) !== undefined) return undefined;
      if (this.isStranger(agent, publicKey)) {
        spent = "stranger";
        return undefined;
      }
      spent = true;
      return { ...present, usedAt: this.ports.now(), usedBy: agentKey(agent) };
    });
    return spent;
  }
}
