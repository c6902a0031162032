import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRoute, home, keyInHash, parseRoute, type Route, sections } from "../../../ui-extension/core/route.ts";
import { fc } from "../../support/property.ts";

const cases: [hash: string, route: Route][] = [
  ["", home],
  ["#/", home],
  ["#/guest/105?range=24h", { page: { kind: "entity", entity: "guest/105", cluster: undefined }, range: "24h", filter: "" }],
  [
    "#/storage/pve1/local",
    { page: { kind: "entity", entity: "storage/pve1/local", cluster: undefined }, range: "1h", filter: "" },
  ],
  [
    "#/node/pve1?cluster=0123456789abcdef",
    { page: { kind: "entity", entity: "node/pve1", cluster: "0123456789abcdef" }, range: "1h", filter: "" },
  ],
  ["#/?filter=tag%3Aprod%20web", { ...home, filter: "tag:prod web" }],
  ["#/guest/abc", home],
  ["#/alerts", { ...home, page: { kind: "section", section: "alerts", item: "" } }],
  ["#/alerts/a%40c%2Fguest%2F1%231", { ...home, page: { kind: "section", section: "alerts", item: "a@c/guest/1#1" } }],
  ["#/rules/node-cpu?filter=x", { ...home, page: { kind: "section", section: "rules", item: "node-cpu" }, filter: "x" }],
  ["#/nonsense?range=5y", home],
  ["#/%E0%A4%A", home],
];
for (const [hash, route] of cases) {
  test(`the address ${hash === "" ? "without a hash" : hash} leads to ${JSON.stringify(route.page)}`, () =>
    assert.deepEqual(parseRoute(hash), route));
}

test("every route survives its way through the address", () => {
  const entity = fc.oneof(
    fc.integer({ min: 100, max: 999_999_999 }).map((vmid) => `guest/${vmid}`),
    fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/).map((node) => `node/${node}`),
    fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/).map((storage) => `storage/pve1/${storage}`),
  );
  const plain = { noNullPrototype: true };
  const cluster = fc.constantFrom(undefined, "0123456789abcdef");
  const page = fc.oneof(
    fc.constant({ kind: "overview" as const }),
    fc.record({ kind: fc.constant("entity" as const), entity, cluster }, plain),
    fc.record({ kind: fc.constant("section" as const), section: fc.constantFrom(...sections), item: fc.string() }, plain),
  );
  const range = fc.constantFrom("1h" as const, "24h" as const, "1y" as const);
  const route = fc.record({ page, range, filter: fc.string({ unit: "grapheme" }) }, plain);
  fc.assert(fc.property(route, (given) => assert.deepEqual(parseRoute(formatRoute(given)), given)));
});

test("no hash at all makes the panel fail", () => {
  fc.assert(
    fc.property(fc.string(), (text) => assert.ok(["overview", "entity", "section"].includes(parseRoute(`#${text}`).page.kind))),
  );
});

test("the key of npm start is found in the hash, and nothing else is taken for one", () => {
  assert.equal(keyInHash("#key=pvn_ab12_S3cret-x"), "pvn_ab12_S3cret-x");
  assert.equal(keyInHash("#/key=pvn_ab12_x"), "pvn_ab12_x");
  assert.equal(keyInHash("#/guest/105"), undefined);
  assert.equal(keyInHash("#key=other"), undefined);
});
