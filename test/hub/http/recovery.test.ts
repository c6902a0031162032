import assert from "node:assert/strict";
import { test } from "node:test";
import { type NodeRecovery, type RecoveryDetail, recoveryDetailSchema } from "#protocol/recovery.ts";
import { type SeenHub, seenHub } from "../../support/seen-hub.ts";

/** Guest 100 has a backup on NFS and one on the node itself; 101 has none. */
function backedUp({ hub, agent }: SeenHub): number {
  const at = hub.clock.now() - 3_600_000;
  const backup = { vmid: 100, type: "qemu" as const, format: "vma.zst", protected: false, encrypted: false };
  const listing = { at, part: 1, parts: 1 };
  hub.restore.catalogue.take(agent, {
    ...{ ...listing, storage: "nfs1", shared: true },
    backups: [{ ...backup, volid: "nfs1:backup/vzdump-qemu-100-old.vma.zst", at: at - 7_200_000 }],
  });
  hub.restore.catalogue.take(agent, {
    ...{ ...listing, storage: "local", shared: false },
    backups: [{ ...backup, volid: "local:backup/vzdump-qemu-100-new.vma.zst", at }],
  });
  return at;
}

test("a node's loss is told guest by guest, the worst first, and for all nodes in sums", async (t) => {
  const seen = seenHub(t);
  const at = backedUp(seen);
  const answer = await seen.gateway.ask("root@pam", "GET", "/api/v1/nodes/pve1/recovery");
  const { each, counts, guests, oldestAt } = recoveryDetailSchema.parse(await answer.json());
  assert.deepEqual(
    each.map(({ vmid, state, way, burns }) => ({ vmid, state, way, burns })),
    [
      { vmid: 101, state: "lost", way: null, burns: null },
      { vmid: 100, state: "unproven", way: "backup", burns: { at, storage: "local" } },
    ],
  );
  assert.deepEqual([guests, counts.lost, counts.unproven, oldestAt], [2, 1, 1, at - 7_200_000]);

  const all = (await (await seen.gateway.ask("root@pam", "GET", "/api/v1/recovery")).json()) as { items: NodeRecovery[] };
  assert.deepEqual(
    all.items.map((one) => [one.node, one.guests, "each" in one]),
    [
      ["pve1", 2, false],
      ["pve2", 0, false],
      ["pve3", 0, false],
    ],
  );
});

test("who sees one guest is told of that one, and by what is really there", async (t) => {
  const seen = seenHub(t);
  backedUp(seen);
  const answer = await seen.gateway.ask("bob@pve", "GET", "/api/v1/nodes/pve1/recovery");
  const text = await answer.text();
  const { each } = JSON.parse(text) as RecoveryDetail;
  assert.deepEqual(
    each.map(({ vmid, state }) => [vmid, state]),
    [[100, "unproven"]],
  );
  assert.doesNotMatch(text, /hidden/);
});

test("a node that nobody knows, and a name that is none, are refused by name", async (t) => {
  const { gateway } = seenHub(t);
  const none = await gateway.ask("root@pam", "GET", "/api/v1/nodes/pve9/recovery");
  assert.equal(none.status, 404);
  assert.match(await none.text(), /there is no node pve9/);
  assert.equal((await gateway.ask("root@pam", "GET", "/api/v1/nodes/p..e/recovery")).status, 400);
});
