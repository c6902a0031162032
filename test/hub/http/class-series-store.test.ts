import assert from "node:assert/strict";
import { test } from "node:test";
import { groupAnswerSchema, topAnswerSchema } from "#protocol/class-queries.ts";
import { fc } from "../../support/property.ts";
import { guest, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";
import { agentOf, connect, inventoryOf, testHub } from "../../support/test-hub.ts";

const vmids = { pve1: [100, 101, 102], pve2: [103, 104] } as const;
const frames = 60;
const stepMs = 40_000;

/** Ten minutes of each guest's cpu in ten-thousandths, NaN: absent. */
const history = fc.array(
  fc.array(fc.oneof({ weight: 5, arbitrary: fc.nat(10_000) }, { weight: 1, arbitrary: fc.constant(Number.NaN) }), {
    minLength: frames,
    maxLength: frames,
  }),
  { minLength: 5, maxLength: 5 },
);

test("groups and rankings of the real store are what adding up its raw samples by hand gives, compacted or not", async (t) => {
  const { dir, remove } = temporaryDir();
  t.after(remove);
  const hub = testHub(t);
  const start = Math.floor(hub.clock.now() / 3_600_000) * 3_600_000 - 7_200_000;
  for (const node of ["pve1", "pve2"] as const) {
    hub.fleet.inventory(connect(hub, node), inventoryOf({ guests: vmids[node].map((vmid) => ({ vmid })) }));
  }
  const key = hub.newKey("read");
  const ask = async (path: string, body: object) => {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    return await (
      await hub.app.request(`/api/v1/series/${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify({ class: "guests", metric: "cpu", ...body }),
      })
    ).json();
  };
  let stores = 0;
  await fc.assert(
    fc.asyncProperty(history, fc.boolean(), async (values, compacted) => {
      const store = new TestStore(`${dir}/${++stores}`);
      const { reader } = store.hub;
      Object.assign(hub.series.reader, {
        find: reader.find.bind(reader),
        read: reader.read.bind(reader),
        top: reader.top.bind(reader),
      });
      for (const node of ["pve1", "pve2"] as const) {
        const agent = new TestAgent(store, agentOf(node));
        void agent.declare(
          schemaOf(
            vmids[node].map((vmid) => ({ entity: { key: guest(vmid), identity: [`uuid:${vmid}`] }, metric: "cpu" as const })),
          ),
        );
        for (let i = 0; i < frames; i++)
          void agent.frame(
            start + i * 10_000,
            vmids[node].map((vmid) => values[vmid - 100]?.[i] ?? Number.NaN),
          );
      }
      store.clock = hub.clock.now();
      await store.commit();
      if (compacted) await store.settle();

      const known = (vmid: number, from: number, to: number) =>
        (values[vmid - 100] ?? []).slice(from, to).filter((value) => !Number.isNaN(value));
      const average = (all: number[]) => all.reduce((a, b) => a + b, 0) / all.length / 10_000;
      const groups = groupAnswerSchema.parse(
        await ask("group", { by: "node", from: start, to: start + frames * 10_000, stepMs, combine: ["sum", "count"] }),
      );
      for (const { group, columns } of groups.series) {
        const own = group === "pve1" ? vmids.pve1 : vmids.pve2;
        for (let step = 0; step < (frames * 10_000) / stepMs; step++) {
          const parts = own.map((vmid) => known(vmid, step * 4, step * 4 + 4)).filter((part) => part.length > 0);
          assert.equal(columns.count?.[step], parts.length);
          const sum = parts.reduce((total, part) => total + average(part), 0);
          const told = columns.sum?.[step] ?? null;
          assert.ok(parts.length === 0 ? told === null : Math.abs((told ?? -1) - sum) < 1e-9, `${told} is not ${sum}`);
        }
      }
      const top = topAnswerSchema.parse(await ask("top", { to: start + frames * 10_000, windowMs: frames * 10_000 }));
      const naive = [100, 101, 102, 103, 104]
        .map((vmid) => known(vmid, 0, frames))
        .filter((all) => all.length > 0)
        .map(average)
        .sort((a, b) => b - a);
      assert.equal(top.ranked, naive.length);
      for (const [i, { columns }] of top.series.entries())
        assert.ok(Math.abs((columns.avg?.[0] ?? -1) - (naive[i] ?? -2)) < 1e-9);
      await store.hub.close();
    }),
    { numRuns: 20 },
  );
});
