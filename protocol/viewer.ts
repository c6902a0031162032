import * as z from "zod/mini";
import { byText } from "./order.ts";
import { int, list, text, vmid } from "./schema-parts.ts";
import { encodeUtf8 } from "./utf8.ts";

/**
 * What a Proxmox VE user may see and do, as Proxmox VE itself said, and how an agent's gateway tells it to the hub. Nothing here computes a
 * permission: inheriting one from a listed ancestor grants what `NoAccess` forbids. The flow stands in docs/VIEWER.md.
 */

const hex256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** Bounds of a view: the largest cluster one hub serves, and its body stays below the 1 MiB of a request. */
export const viewLimits = { guests: 20_000, nodes: 256, storages: 8192, pools: 4096, paths: 24_000, groups: 4096 } as const;

/** Times of assertions and views, ms. */
export const assertionTimes = {
  /** An assertion's `at` may be so far from the hub's clock, before or behind. */
  skewMs: 30_000,
  /** So long what Proxmox VE said of a user counts (`viewAt`): the time in which a taken right ends. */
  viewMs: 60_000,
  /** While a stream is open the gateway asserts at least so often. */
  keepAliveMs: 45_000,
} as const;

/** `name@realm`; never a token (`name@realm!token`): a token has no cookie. `verify_username` in pve-access-control `PVE/Auth/Plugin.pm`. */
export const userSchema = z.string().check(z.regex(/^[^\s:/!]+@[A-Za-z][A-Za-z0-9._-]+$/), z.maxLength(64));
const path = z.string().check(z.regex(/^\/\S*$/), z.maxLength(256));
const privilege = z.string().check(z.regex(/^[A-Z][A-Za-z]*(\.[A-Za-z]+)+$/), z.maxLength(64));

/**
 * What one user sees of one cluster. Every list is sorted (canonicalView) and without repetitions. From `GET /cluster/resources` and
 * `GET /access/permissions`, both asked with the user's own cookie.
 */
export const viewSchema = z.lazy(() =>
  z.strictObject({
    cluster: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
    /** As in the ticket's second field, believed after a 200 only. */
    user: userSchema,
    /** `vmid` of each resource of type `qemu` and `lxc`. */
    guests: list(vmid, viewLimits.guests),
    /**
     * Whether `GET /access/permissions?path=/vms/999999999` grants `VM.Audit`: what Proxmox VE says of guests that are no more, whose own ACL
     * entries it removes with them (`remove_vm_access` in pve-access-control `PVE/AccessControl.pm`).
     */
    goneGuests: z.boolean(),
    /** `node` of each resource of type `node`. Proxmox VE lists all nodes to everybody: name and state, and no more. */
    nodes: list(text(63), viewLimits.nodes),
    /**
     * Nodes on which the user has `Sys.Audit`: those whose resource has `maxcpu` (`extract_node_stats` in pve-manager `PVE/API2Tools.pm` leaves
     * the figures out without it), and of the others (offline) those for which `GET /access/permissions?path=/nodes/<node>` says so.
     */
    auditedNodes: list(text(63), viewLimits.nodes),
    /** Each resource of type `storage`; a shared one stands here once for each of its nodes. */
    storages: list(z.strictObject({ node: text(63), storage: text(100) }), viewLimits.storages),
    /** `pool` of each resource of type `pool`. */
    pools: list(text(1000), viewLimits.pools),
    /**
     * `GET /access/permissions` without `path`, paths with the same privileges together. A privilege's presence is the grant; the number
     * Proxmox VE gives is only whether it propagates. A path that isn't listed says nothing, and least of all what its ancestor says.
     */
    privileges: list(
      z.strictObject({ privileges: list(privilege, 128), paths: list(path, viewLimits.paths) }),
      viewLimits.groups,
    ),
  }),
);
export type View = z.output<typeof viewSchema>;

/** No guest has this number: it asks Proxmox VE about those that are no more (`View.goneGuests`). */
export const goneGuestPath = "/vms/999999999";

export type Permission = { path: string; privilege: string };
const permissionSchema = z.lazy(() => z.strictObject({ path, privilege }));

/** What the agent answers for: the user of this request was confirmed by Proxmox VE, sees `view` and has `granted`. */
export const assertionSchema = z.lazy(() =>
  z.strictObject({
    /** The agent that signs: its cluster is the only one about whose objects this says anything. */
    agent: z.strictObject({ cluster: z.string().check(z.regex(/^[0-9a-f]{16}$/)), node: text(63) }),
    user: userSchema,
    /** viewDigest of the user's view, lower-case hex. */
    view: hex256,
    /** When Proxmox VE told this view, agent's clock: at most assertionTimes.viewMs ago. A view that was told again unchanged has the same digest. */
    viewAt: int,
    method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    /** Path with its query exactly as it stands in the forwarded request line. */
    path: z.string().check(z.regex(/^\/\S*$/), z.maxLength(4096)),
    /** SHA-256 of the body's bytes, lower-case hex; of no bytes where there is no body. */
    bodySha256: hex256,
    /** Answers of `GET /access/permissions?path=…` to what the hub asked for with `privilege-needed`, not older than viewMs. */
    granted: list(permissionSchema, 64),
    at: int,
    /** 16 random bytes, hex: never used twice. */
    nonce: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
  }),
);
export type Assertion = z.output<typeof assertionSchema>;

/** `<base64url(JSON)>.<base64url(Ed25519 signature over assertionBytes)>`, without padding. */
export const assertionHeader = "proven-assertion";
export const assertionMaxBytes = 12 << 10;

/** What is signed: the header's first part as it stands, behind the purpose, so that no signature of another purpose fits. */
export const assertionBytes = (encoded: string): Uint8Array => encodeUtf8(`proven assertion 1\n${encoded}`);

/** Where the gateway leaves a view; asserted like any other request. 204. */
export const viewPath = (digest: string) => `/api/v1/gateway/views/${digest}`;

/**
 * The hub's answer 428 to a gateway, for the gateway only and never for the browser. `view-needed`: PUT the view to viewPath, then repeat.
 * `privilege-needed`: ask Proxmox VE with the user's cookie; where one is missing answer 403 yourself, else repeat with all of them `granted`.
 */
export type Precondition =
  | { error: { code: "view-needed"; message: string } }
  | { error: { code: "privilege-needed"; message: string; needs: Permission[] } };

/** Repetitions of one request after 428; a hub that asks further is broken. */
export const preconditionRounds = 4;

const sorted = (names: readonly string[]) => [...new Set(names)].sort(byText);

/** The same view with every list in its one order, whatever the order Proxmox VE answered in (its hashes are random). */
export function canonicalView(view: View): View {
  const storages = new Map(view.storages.map(({ node, storage }) => [`${storage} ${node}`, { node, storage }]));
  const groups = new Map<string, { privileges: string[]; paths: string[] }>();
  for (const { privileges, paths } of view.privileges) {
    const names = sorted(privileges);
    if (names.length === 0) continue;
    const group = groups.get(names.join()) ?? { privileges: names, paths: [] };
    group.paths.push(...paths);
    groups.set(names.join(), group);
  }
  return {
    cluster: view.cluster,
    user: view.user,
    guests: [...new Set(view.guests)].sort((a, b) => a - b),
    goneGuests: view.goneGuests,
    nodes: sorted(view.nodes),
    auditedNodes: sorted(view.auditedNodes),
    storages: [...storages].sort(([a], [b]) => byText(a, b)).map(([, storage]) => storage),
    pools: sorted(view.pools),
    privileges: [...groups].sort(([a], [b]) => byText(a, b)).map(([, group]) => ({ ...group, paths: sorted(group.paths) })),
  };
}

/** What viewDigest hashes, and the body of `PUT viewPath`: JSON of the canonical view, keys in the order of viewSchema, no white space. */
export const viewJson = (view: View): string => JSON.stringify(canonicalView(view));
