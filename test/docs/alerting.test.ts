import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { automaticWindows } from "#protocol/alerting.ts";
import { type Receiver, routeSchema } from "#protocol/notifications.ts";
import { defaultRules } from "../../hub/core/default-rules.ts";
import { checkRoute } from "../../hub/core/route.ts";
import { common } from "../support/notifications.ts";
import { ruleCells } from "../support/rules-table.ts";

const text = readFileSync(new URL("../../docs/ALERTING.md", import.meta.url), "utf8");
const rows = text
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );

test("docs/ALERTING.md lists exactly the rules that come with Proven, as they are", () => {
  const documented = rows.filter(([first = ""]) => /^`[a-z-]+` /.test(first));
  assert.deepEqual(documented, defaultRules.map(ruleCells));
});

test("docs/ALERTING.md lists the windows that open by themselves", () => {
  const documented = rows.flatMap(([first = ""]) => /^`([a-z-]+)`$/.exec(first)?.[1] ?? []);
  assert.deepEqual(documented.sort(), [...automaticWindows].sort());
});

test("docs/ALERTING.md: the route there is one the hub takes", () => {
  const [, block = ""] = /^```json\n([\s\S]*?)^```$/m.exec(text) ?? [];
  const receivers = ["phones", "pagerduty"].map((id): Receiver => ({ ...common, id, type: "web-push" }));
  assert.deepEqual(checkRoute(routeSchema.parse(JSON.parse(block)), [], receivers), []);
});
