import assert from "node:assert/strict";
import { test } from "node:test";
import { negotiate, type VersionRange } from "#protocol/version.ts";
import { fc } from "../support/property.ts";

const cases: [name: string, hub: VersionRange, agent: VersionRange, expected: ReturnType<typeof negotiate>][] = [
  ["equal ends meet at their highest", { min: 1, max: 2 }, { min: 1, max: 2 }, { ok: true, version: 2 }],
  ["a hub that is one ahead speaks the agent's", { min: 1, max: 2 }, { min: 1, max: 1 }, { ok: true, version: 1 }],
  ["an agent that is one ahead speaks the hub's", { min: 1, max: 1 }, { min: 1, max: 2 }, { ok: true, version: 1 }],
  ["an agent behind the hub's oldest is too old", { min: 2, max: 3 }, { min: 1, max: 1 }, { ok: false, tooOld: "agent" }],
  ["a hub behind the agent's oldest is too old", { min: 1, max: 1 }, { min: 2, max: 3 }, { ok: false, tooOld: "hub" }],
];
for (const [name, hub, agent, expected] of cases) {
  test(name, () => assert.deepEqual(negotiate(hub, agent), expected));
}

test("what is agreed lies in both ranges, and only disjoint ranges fail", () => {
  const range = fc.tuple(fc.nat(20), fc.nat(5)).map(([min, more]) => ({ min, max: min + more }));
  fc.assert(
    fc.property(range, range, (hub, agent) => {
      const common = Array.from({ length: 30 }, (_, version) => version).filter(
        (version) => version >= hub.min && version <= hub.max && version >= agent.min && version <= agent.max,
      );
      const agreed = negotiate(hub, agent);
      assert.equal(agreed.ok ? agreed.version : undefined, common.at(-1));
    }),
  );
});
