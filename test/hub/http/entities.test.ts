import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityView, Outlook } from "#protocol/entities.ts";
import type { NodeHardware } from "#protocol/hardware.ts";
import type { EntityKey } from "#protocol/ids.ts";
import { seenHub } from "../../support/seen-hub.ts";
import { clusterA, inventoryOf } from "../../support/test-hub.ts";

const dayMs = 86_400_000;
type List<T> = { items: T[] };

function hubWithDisks(t: Parameters<typeof seenHub>[0]) {
  const one = seenHub(t);
  const disks = [{ id: "S1", name: "sda", model: "MX500", sizeBytes: 500, smart: "read" as const }];
  const storage = { storage: "local-zfs", type: "zfspool", shared: false, content: ["images"], enabled: true, nodes: [] };
  const guests = [
    {
      vmid: 100,
      name: "web",
      agent: "answers" as const,
      storages: ["local-zfs", "hidden-store"],
      snapshots: [
        { name: "late", at: 20 },
        { name: "early", at: 10 },
      ],
    },
    { vmid: 101, name: "db" },
  ];
  one.hub.fleet.inventory(
    one.agent,
    inventoryOf({ guests, storages: [storage], node: { zpools: ["tank"], sources: [], disks } }),
  );
  const of = async <T>(user: string, path: string) =>
    ((await (await one.gateway.ask(user, "GET", `/api/v1/${path}`)).json()) as List<T>).items;
  return { ...one, of };
}

test("disks and pools are listed with their facts and newest values; guests tell their agent and their snapshots, oldest first", async (t) => {
  const { hub, agent, now, of } = hubWithDisks(t);
  hub.series.put(agent, "disk/pve1/S1" as EntityKey, "wear", now, 0.07);
  const [disk] = await of<EntityView>("root@pam", "entities?kind=disk&values=1");
  assert.deepEqual(
    [disk?.entity, disk?.name, disk?.disk, disk?.metrics.map(({ metric, value }) => [metric, value])],
    ["disk/pve1/S1", "sda", { model: "MX500", serial: null, sizeBytes: 500, smart: "read" }, [["wear", 0.07]]],
  );
  const [pool] = await of<EntityView>("root@pam", "entities?entity=zpool/pve1/tank");
  assert.deepEqual([pool?.title, pool?.node, pool?.metrics], ["tank on pve1", "pve1", []]);
  const [web] = await of<EntityView>("root@pam", "entities?entity=guest/100");
  assert.deepEqual(web?.guest, {
    ...{ agent: "answers", ha: null, snapshotsLeftOut: 0 },
    snapshots: [
      { name: "early", at: 10 },
      { name: "late", at: 20 },
    ],
  });
});

test("who uses one guest is told of that guest, and of none of its storages that he doesn't see", async (t) => {
  const { of } = hubWithDisks(t);
  const seen = await of<EntityView>("bob@pve", "entities");
  assert.deepEqual(
    seen.map(({ entity }) => entity).filter((entity) => !entity.startsWith("storage/")),
    ["guest/100"],
  );
  assert.ok(!JSON.stringify(seen).includes("hidden-store"));
});

test("a storage that fills says when it is full and how sure that is; a short history says only that it is short", async (t) => {
  const { hub, agent, now, of } = hubWithDisks(t);
  const storage = "storage/pve1/local-zfs" as EntityKey;
  for (let day = 40; day >= 0; day -= 0.25) {
    hub.series.put(agent, storage, "used", now - day * dayMs, 500 + (40 - day) * 10);
    hub.series.put(agent, storage, "total", now - day * dayMs, 1000);
  }
  const [growing] = await of<Outlook>("root@pam", `entities/outlook?entity=${storage}`);
  assert.equal(growing?.trend, "growing");
  assert.equal(Math.round(growing?.perDay ?? 0), 10);
  assert.ok(Math.abs((growing?.days ?? 0) - 10) < 1);
  hub.series.put(agent, "zpool/pve1/tank" as EntityKey, "allocated", now, 1);
  hub.series.put(agent, "zpool/pve1/tank" as EntityKey, "size", now, 2);
  const [short] = await of<Outlook>("root@pam", "entities/outlook?entity=zpool/pve1/tank");
  assert.deepEqual([short?.trend, short?.why, short?.days], ["none", "too-short", null]);
});

test("a node's machine is told with its serial numbers to who audits the node; one that no agent has told of is null, not empty", async (t) => {
  const { gateway } = seenHub(t);
  const ask = async (user: string, node: string) => {
    const answer = await gateway.ask(user, "GET", `/api/v1/nodes/${node}/hardware`);
    return { status: answer.status, body: await answer.text() };
  };
  const told = await ask("alice@pve", "pve1");
  const { hardware, ...rest } = JSON.parse(told.body) as NodeHardware;
  assert.deepEqual(rest, { cluster: clusterA, node: "pve1", entity: "node/pve1" });
  assert.deepEqual([hardware?.serial, hardware?.maker, hardware?.missing], ["hidden-node-fact", undefined, "smbios"]);
  assert.equal((JSON.parse((await ask("alice@pve", "pve2")).body) as NodeHardware).hardware, null);
  const refused = await ask("carol@pve", "pve1");
  assert.equal(refused.status, 403);
  assert.doesNotMatch(refused.body, /hidden/);
  assert.equal((await ask("alice@pve", "pve9")).status, 404);
});
