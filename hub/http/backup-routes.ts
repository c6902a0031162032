import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { page } from "#protocol/api.ts";
import { byText } from "#protocol/order.ts";
import { backupStates, backupViewSchema, guestProofSchema, proofStates } from "#protocol/proof.ts";
import type { RestorePorts } from "../proof/restore.ts";
import { clusterQuery, picturesOf } from "./clusters.ts";
import { json } from "./documents.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const tags = ["backups"];
const routes = {
  backups: createRoute({
    method: "get",
    path: "/api/v1/backups",
    tags,
    summary: "Every backup on every storage, the newest first",
    description:
      "Shown are backups of guests that are seen, on storages that are seen. Those of no present guest take Sys.Audit on /, as guests that are no more.",
    request: {
      query: clusterQuery.extend({
        guest: z.coerce.number().int().optional().describe("Of this vmid"),
        storage: z.string().optional(),
        state: z.enum([...backupStates, "stale"]).optional(),
        limit: z.coerce.number().int().min(1).max(5000).default(500),
        cursor: z.coerce.number().int().nonnegative().optional().describe("`next` of the page before"),
      }),
    },
    responses: { 200: json(page(backupViewSchema), "One page; `next` null: the last"), ...commonErrors },
  }),
  proof: createRoute({
    method: "get",
    path: "/api/v1/proof",
    tags,
    summary: "Is everything protected? Each guest with its newest backup, its proof, and what is missing",
    request: {
      query: clusterQuery.extend({
        guest: z.coerce.number().int().optional(),
        state: z.enum(proofStates).optional(),
        protected: guestProofSchema.shape.protected.optional(),
      }),
    },
    responses: { 200: json(page(guestProofSchema), "Guests by vmid"), ...commonErrors },
  }),
};

/** The catalogue of backups, and what is proven of each guest. */
export function backupRoutes(app: HubApp, ports: HttpPorts, restore: RestorePorts): void {
  app.openapi(routes.backups, (c) => {
    const { cluster, guest, storage, state, limit, cursor } = c.req.valid("query");
    const seen = seenBy(c, ports);
    const all = picturesOf(seen, cluster)
      .flatMap((picture) => restore.backups(picture, guest))
      .filter(
        (view) =>
          (storage === undefined || view.storage === storage) &&
          (state === undefined || (state === "stale" ? view.stale : view.state === state)) &&
          seen.entity(view.cluster, `guest/${view.vmid}`) &&
          seen.entity(view.cluster, view.entity),
      )
      .sort((a, b) => b.at - a.at || byText(a.volid, b.volid));
    // Many storages hold tens of thousands, and times repeat: the cursor is a position in a list that seldom changes.
    const from = cursor ?? 0;
    const items = all.slice(from, from + limit);
    return c.json({ items, next: from + limit < all.length ? from + limit : null }, 200);
  });
  app.openapi(routes.proof, (c) => {
    const { cluster, guest, state, protected: isProtected } = c.req.valid("query");
    const seen = seenBy(c, ports);
    const now = ports.clock.now();
    const items = picturesOf(seen, cluster)
      .flatMap((picture) => restore.proofs(picture, now))
      .filter(
        (view) =>
          (guest === undefined || view.vmid === guest) &&
          (state === undefined || view.proof.state === state) &&
          (isProtected === undefined || view.protected === isProtected),
      );
    return c.json({ items, next: null }, 200);
  });
}
