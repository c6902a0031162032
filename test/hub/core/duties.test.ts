import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { duties } from "#protocol/messages.ts";
import { assignDuties, type DutyAgent, dutyGraceMs, type Holders } from "../../../hub/core/duties.ts";
import { fc } from "../../support/property.ts";

const node = (name: string) => name as NodeName;
const at = (ms: number) => ms as EpochMs;
const here = (name: string): DutyAgent => ({ node: node(name), awaySince: null });
const away = (name: string, since: number): DutyAgent => ({ node: node(name), awaySince: at(since) });
const all = (name: string): Holders => ({ cluster: node(name), "shared-storage": node(name), "backup-jobs": node(name) });

const cases: [name: string, holders: Holders, agents: DutyAgent[], now: number, expected: Holders][] = [
  ["the first agent gets them all", {}, [here("pve2")], 0, all("pve2")],
  [
    "with several they are spread, by name",
    {},
    [here("pve2"), here("pve1")],
    0,
    { cluster: node("pve1"), "shared-storage": node("pve2"), "backup-jobs": node("pve1") },
  ],
  ["a newcomer takes nothing from who has it", all("pve2"), [here("pve1"), here("pve2")], 0, all("pve2")],
  ["a holder may be away for the grace time", all("pve1"), [away("pve1", 0), here("pve2")], dutyGraceMs, all("pve1")],
  ["one ms later its duties move", all("pve1"), [away("pve1", 0), here("pve2")], dutyGraceMs + 1, all("pve2")],
  [
    "by a clock that was set back who is away is not waited for",
    all("pve1"),
    [away("pve1", 90_000), here("pve2")],
    0,
    all("pve2"),
  ],
  ["who returned does not take them back", all("pve2"), [here("pve1"), here("pve2")], 60_000, all("pve2")],
  ["with nobody present they stay free", all("pve1"), [away("pve1", 0)], dutyGraceMs + 1, {}],
  ["a removed holder loses them at once", all("pve9"), [here("pve1")], 0, all("pve1")],
];
for (const [name, holders, agents, now, expected] of cases) {
  test(`duties: ${name}`, () => assert.deepEqual(assignDuties(holders, agents, at(now)), expected));
}

test("duties: while anybody is present each has one holder, and only who is known", () => {
  const agents = fc.uniqueArray(
    fc.record({ node: fc.constantFrom("a", "b", "c", "d").map(node), awaySince: fc.option(fc.nat(90_000).map(at)) }),
    {
      selector: (agent) => agent.node,
    },
  );
  fc.assert(
    fc.property(fc.array(agents, { maxLength: 8 }), (rounds) => {
      let holders: Holders = {};
      rounds.forEach((round, index) => {
        holders = assignDuties(holders, round, at(90_000 + index * 10_000));
        const names = new Set(round.map((agent) => agent.node));
        assert.ok(Object.values(holders).every((holder) => names.has(holder)));
        assert.ok(!round.some((agent) => agent.awaySince === null) || duties.every((duty) => holders[duty] !== undefined));
      });
    }),
  );
});
