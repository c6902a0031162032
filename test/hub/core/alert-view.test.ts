import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import { sameView } from "../../../hub/core/alert-view.ts";
import { alertOf } from "../../support/alert-views.ts";

const held = { by: "window", id: "tonight", until: null, text: "Maintenance window tonight" } as const;

const others: [what: string, given: Partial<AlertView>][] = [
  ["another figure", { value: 91, valueText: "91 %" }],
  ["no figure", { value: null }],
  ["another state", { state: "resolved", resolvedAt: 5000 }],
  ["a tag more", { tags: ["prod", "web"] }],
  ["something that holds it back", { suppressedBy: held }],
];
for (const [what, given] of others) {
  test(`with ${what} an alert looks different`, () => {
    assert.equal(sameView(alertOf({ value: 90, tags: ["prod"] }), alertOf({ value: 90, tags: ["prod"], ...given })), false);
  });
}

test("an alert that was put together anew from the same facts looks the same", () => {
  const made = () => alertOf({ value: 90, tags: ["prod"], suppressedBy: { ...held } });
  assert.equal(sameView(made(), made()), true);
});
