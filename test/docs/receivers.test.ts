import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { receiverRequestSchema, receiverSchema } from "#protocol/notifications.ts";
import { parseConfig } from "../../hub/config.ts";
import { receiverProblems, withOwnRefs } from "../../hub/core/receiver-check.ts";
import { alertPlaceholders, messagePlaceholders } from "../../hub/core/template.ts";
import { parseWebhookSecret } from "../../hub/secret-text.ts";

const text = readFileSync(new URL("../../docs/RECEIVERS.md", import.meta.url), "utf8");
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block = ""]) => block);
const examples = blocks("json").map((block) => JSON.parse(block) as { receiver: { type: string; id: string } });

for (const example of examples) {
  test(`docs/RECEIVERS.md: the example ${example.receiver.id} (${example.receiver.type}) is a body the hub takes as it stands`, () => {
    const { receiver, secrets = {} } = receiverRequestSchema.parse(example);
    const problems = receiverProblems({
      receiver: withOwnRefs(receiver),
      secrets,
      present: undefined,
      parseUrl: (url) => (URL.canParse(url) ? new URL(url) : undefined),
      isWebhookSecret: (secret) => parseWebhookSecret(secret) !== undefined,
    });
    assert.deepEqual(problems, []);
  });
}

test("docs/RECEIVERS.md has an example of each kind of receiver", () => {
  const kinds = receiverSchema.options.map(({ shape }) => shape.type.value);
  assert.deepEqual([...new Set(examples.map(({ receiver }) => receiver.type))].sort(), kinds.sort());
});

test("docs/RECEIVERS.md: what stands there of hub.toml is read by the hub", () => {
  const toml = blocks("toml").join("\n");
  const config = parseConfig(toml);
  assert.equal(config.url, "https://proven.example.org:8420");
  assert.ok(config.heartbeat !== undefined && config.mqtt !== undefined && config.proxy !== undefined);
});

test("docs/RECEIVERS.md lists exactly the placeholders there are", () => {
  const named = (row: RegExp) => [...(row.exec(text)?.[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name);
  assert.deepEqual(named(/^\| anywhere +\| (.*)\|$/m), [...messagePlaceholders]);
  assert.deepEqual(named(/^\| between .*too \| (.*)\|$/m), [...alertPlaceholders]);
});
