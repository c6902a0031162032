import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import { placesOf } from "../../../ui-extension/core/find.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { fakeAlerts } from "../../support/fake-alerts.ts";

test("an alert is found by all that its text says, and listed by its sentence alone", () => {
  const alerts = fakeAlerts(0).map(
    (alert): AlertView => ({ ...alert, text: "The restore failed\nnfs1:backup/x\nno such archive" }),
  );
  const picture = { nodes: [], guests: [], storages: [], tasks: [], events: [], alerts, health: undefined };
  const found = placesOf(picture, false, t).filter(({ kind }) => kind === "alert");
  assert.deepEqual([...new Set(found.map(({ title }) => title))], ["The restore failed"]);
  assert.match(found[0]?.words ?? "", /no such archive/);
});
