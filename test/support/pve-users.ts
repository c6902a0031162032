import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import {
  type Assertion,
  assertionBytes,
  assertionHeader,
  goneGuestPath,
  type Permission,
  type View,
  viewJson,
  viewPath,
} from "#protocol/viewer.ts";
import type { StateStore } from "../../hub/store/state.ts";
import { permissionsOf } from "../lab/permissions.ts";
import { buildSpec } from "../lab/spec.ts";
import { newClientKey } from "./agent-client.ts";
import { clusterA } from "./test-hub.ts";

/** The lab's cluster: guests 100 and 101 are the first two. alice audits everything, bob uses 100, carol all guests but 101. */
const spec = buildSpec("viewers", 3, 40);
export const labPermissions = permissionsOf(spec);

/** What the lab's PVE tells one user, as an agent's gateway makes it a view. */
export function labView(user: string, cluster: string = clusterA): View {
  const has = (path: string, privilege: string) => labPermissions.on(user, path).includes(privilege);
  const nodes = spec.nodes.map(({ name }) => name);
  const storages = spec.storages.filter(({ id }) => has(`/storage/${id}`, "Datastore.Audit"));
  return {
    cluster,
    user,
    guests: spec.guests.map(({ vmid }) => vmid).filter((vmid) => has(`/vms/${vmid}`, "VM.Audit")),
    goneGuests: has(goneGuestPath, "VM.Audit"),
    nodes,
    auditedNodes: nodes.filter((node) => has(`/nodes/${node}`, "Sys.Audit")),
    storages: storages.flatMap(({ id }) => nodes.map((node) => ({ node, storage: id }))),
    pools: has("/pool/prod", "Pool.Audit") ? ["prod"] : [],
    privileges: labPermissions.paths(user).map((path) => ({ privileges: [...labPermissions.on(user, path)], paths: [path] })),
  };
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

type App = { request(url: string, init?: RequestInit): Response | Promise<Response> };
type Ports = { app: App; state: StateStore; now: () => EpochMs; node?: NodeName; cluster?: ClusterId };

/** An agent's gateway, as docs/VIEWER.md describes it, in front of the hub's app. */
export class TestGateway {
  private readonly key: KeyObject;
  private readonly node: NodeName;
  private readonly cluster: ClusterId;
  /** Requests that the hub saw. */
  readonly seen: string[] = [];
  /** What the gateway gives as the user's view; by default what the lab says. */
  viewOf: (user: string) => View;

  constructor(private readonly ports: Ports) {
    const { publicKey, privateKey } = newClientKey();
    this.key = privateKey;
    this.node = ports.node ?? ("pve1" as NodeName);
    this.cluster = ports.cluster ?? clusterA;
    this.viewOf = (user) => labView(user, this.cluster);
    // The hub keeps the raw 32 bytes, behind the 12 of SubjectPublicKeyInfo.
    const raw = Buffer.from(publicKey, "base64").subarray(12).toString("base64");
    const { cluster, node } = this;
    const document = {
      cluster,
      node,
      clusterName: "lab",
      publicKey: raw,
      revokedKeys: [],
      joinedAt: ports.now(),
      revokedAt: null,
    };
    ports.state.put("agent", `${cluster}/${node}`, document, { actor: "test", reason: "test" });
  }

  /** One request as this user's browser sends it. */
  async ask(user: string, method: string, path: string, body?: unknown): Promise<Response> {
    const granted: Permission[] = [];
    for (let round = 0; round < 4; round++) {
      const response = await this.send(user, method, path, body, { granted });
      if (response.status !== 428) return response;
      const { error } = (await response.json()) as { error: { code: string; needs?: Permission[] } };
      if (error.code === "view-needed") await this.putView(user);
      for (const need of error.needs ?? []) {
        if (!labPermissions.on(user, need.path).includes(need.privilege)) return new Response("the gateway", { status: 403 });
        granted.push(need);
      }
    }
    throw new Error(`${method} ${path}: the hub asks again and again`);
  }

  async putView(user: string): Promise<Response> {
    const text = viewJson(this.viewOf(user));
    return this.send(user, "PUT", viewPath(sha256(text)), undefined, {}, text);
  }

  /** One request with what the assertion should say otherwise. */
  async send(
    user: string,
    method: string,
    path: string,
    body?: unknown,
    overrides: Partial<Assertion> = {},
    text: string | undefined = body === undefined ? undefined : JSON.stringify(body),
  ): Promise<Response> {
    this.seen.push(`${method} ${path}`);
    const header = this.assertion({
      user,
      method: method as Assertion["method"],
      path,
      bodySha256: sha256(text ?? ""),
      ...overrides,
    });
    return this.ports.app.request(`https://hub.lan${path}`, {
      method,
      headers: { [assertionHeader]: header, ...(text === undefined ? {} : { "Content-Type": "application/json" }) },
      ...(text === undefined ? {} : { body: text }),
    });
  }

  assertion(given: Pick<Assertion, "user" | "method" | "path" | "bodySha256"> & Partial<Assertion>): string {
    const now = this.ports.now();
    const assertion: Assertion = {
      agent: { cluster: this.cluster, node: this.node },
      view: sha256(viewJson(this.viewOf(given.user))),
      viewAt: now,
      granted: [],
      at: now,
      nonce: randomBytes(16).toString("hex"),
      ...given,
    };
    const payload = Buffer.from(JSON.stringify(assertion)).toString("base64url");
    return `${payload}.${sign(null, assertionBytes(payload), this.key).toString("base64url")}`;
  }
}
