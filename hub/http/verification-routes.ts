import { createRoute } from "@hono/zod-openapi";
import type { EpochMs } from "#protocol/ids.ts";
import type { Operation } from "#protocol/operations.ts";
import { runDetailSchema, type StartVerification, startVerificationSchema } from "#protocol/proof.ts";
import type { Permission } from "#protocol/viewer.ts";
import { askedNode } from "../core/asked.ts";
import { type ClusterPicture, spokesman } from "../core/cluster.ts";
import { guestName, type OwnedGuest, ownedGuest } from "../core/inventory.ts";
import { Refusal } from "../core/refusal.ts";
import { refuseManyRuns } from "../core/run-limit.ts";
import type { RestorePorts } from "../proof/restore.ts";
import { pictureWith } from "./clusters.ts";
import { body, found, json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const start = createRoute({
  method: "post",
  path: "/api/v1/verifications",
  tags: ["backups"],
  summary: "Has a Backup Server verify all backups of a guest, of a storage's namespace, or of its whole datastore",
  description:
    "A run as any other: `/api/v1/restore-tests/{id}` follows it, and `archive.snapshots` says what became of each backup. Of one guest it takes VM.Backup on it and Datastore.AllocateSpace on the storage; of a namespace or datastore Datastore.Allocate on the storage. One snapshot is verified by `POST /api/v1/restore-tests` with `kind` pbs-verify.",
  request: { body: body(startVerificationSchema) },
  responses: { 201: json(runDetailSchema, "Ordered: it begins when a node can"), ...commonErrors },
});

/** Verification of many backups at once, by the Backup Server that holds them. */
export function verificationRoutes(app: HubApp, ports: HttpPorts, { book, operations }: RestorePorts): void {
  app.openapi(start, async (c) => {
    const asked = c.req.valid("json");
    const { vmid, storage } = asked;
    const what = vmid === undefined ? `storage ${storage}` : `guest ${vmid}`;
    const now = ports.clock.now();
    const picture = pictureWith(seenBy(c, ports), asked.cluster, what, (one) =>
      vmid === undefined ? storageIn(one, storage, now) !== undefined : ownedGuest(one.owners, vmid) !== undefined,
    );
    const { type } = found(storageIn(picture, storage, now), `storage ${storage}`);
    const owned = vmid === undefined ? undefined : found(ownedGuest(picture.owners, vmid), `guest ${vmid}`);
    await c.get("caller").ask(picture.cluster, permissions(asked));
    if (type !== "pbs") throw new Refusal("invalid", `storage ${storage} lies on no Backup Server`, { field: "storage" });
    refuseManyRuns(book.newest(), { cluster: picture.cluster, vmid: vmid ?? null }, now);
    const run = operations.start({
      cluster: picture.cluster,
      guest: owned === undefined ? null : runGuest(owned),
      backupAt: null,
      operation: operationOf(asked, owned),
      actor: c.get("caller").user,
      reason: asked.reason,
      policy: null,
      expiresAt: (now + asked.expiresInSec * 1000) as EpochMs,
      nodes: nodesOf(asked),
    });
    return c.json(book.detail(run), 201);
  });
}

const storageIn = (picture: ClusterPicture, storage: string, now: EpochMs) =>
  spokesman(picture, now)?.inventory?.inventory.storages.find((one) => one.storage === storage);

const runGuest = ({ facts }: OwnedGuest) => ({
  vmid: facts.vmid,
  type: facts.type,
  name: guestName(facts),
  identity: [...facts.identity],
});

function operationOf({ storage, datastore, outdatedDays }: StartVerification, owned: OwnedGuest | undefined): Operation {
  const group = owned && { type: owned.facts.type, vmid: owned.facts.vmid };
  const extent = group === undefined ? datastore && { datastore } : { group };
  return { kind: "pbs-verify", params: { storage, ...extent, ...(outdatedDays !== null && { outdatedDays }) } };
}

/** As for reading one guest's backups (restore-routes.ts); for everybody's what Proxmox VE asks of who administers the storage. */
function permissions({ vmid, storage }: StartVerification): Permission[] {
  const path = `/storage/${storage}`;
  if (vmid === undefined) return [{ path, privilege: "Datastore.Allocate" }];
  return [
    { path: `/vms/${vmid}`, privilege: "VM.Backup" },
    { path, privilege: "Datastore.AllocateSpace" },
  ];
}

function nodesOf({ node }: StartVerification) {
  return node === undefined ? [] : [askedNode(node)];
}
