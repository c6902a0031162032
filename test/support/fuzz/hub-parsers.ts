import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { toJSONSchema } from "zod";
import { parseAddress } from "#protocol/addresses.ts";
import type { ClusterId, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { guestKey, nodeKey, parseEntityKey, parseUpid } from "#protocol/ids.ts";
import { type MessageType, messages, parseMessage, parseMessageText } from "#protocol/messages.ts";
import {
  decodeFrame,
  decodeSchema,
  encodeFrame,
  encodeSchema,
  FrameState,
  parseRecordHead,
  type Schema,
  stateFor,
} from "#protocol/records.ts";
import { parsePublicKey } from "../../../hub/agent-keys.ts";
import { ActionLinks } from "../../../hub/alerting/action-links.ts";
import { ConfigError, parseConfig } from "../../../hub/config.ts";
import { parseAlertId } from "../../../hub/core/alert-id.ts";
import { nextInstants, parseCalendar, recurrenceProblem } from "../../../hub/core/calendar.ts";
import { parseApiKey, parseBearer } from "../../../hub/core/keys.ts";
import { alertTopic } from "../../../hub/core/mqtt-topics.ts";
import { type EntityFacts, globMatcher, matcherOf } from "../../../hub/core/scope.ts";
import { parseTemplate } from "../../../hub/core/template.ts";
import { parseHostKey, parseKnownHosts } from "../../../hub/deploy/known-hosts.ts";
import { parseFacts } from "../../../hub/deploy/node.ts";
import { parseWebhookSecret } from "../../../hub/secret-text.ts";
import { Secrets } from "../../../hub/secrets.ts";
import { parseRetryAfter } from "../../../hub/senders/remote-write/delivery.ts";
import { compressSnappy } from "../../../hub/senders/remote-write/snappy.ts";
import { fc } from "../property.ts";
import { expecting, ofBytes, ofText, ofValue, type Target } from "./target.ts";
import { allowed, bent, type JsonSchema, oddTexts } from "./values.ts";

const now = 1_795_399_738_000 as EpochMs;
const hubToml = `listen = "0.0.0.0"
url = "https://hub.lan:8420"
[remote_write]
url = "https://192.0.2.1/api/v1/write"
[mqtt]
url = "mqtts://192.0.2.1"
[heartbeat]
url = "https://192.0.2.1/ping"
`;
const upid = "UPID:pve1:00000001:0000ABCD:6B03A039:qmstart:100:root@pam:";
const schema: Schema = {
  entities: [
    { key: nodeKey("pve1" as NodeName), identity: [] },
    { key: guestKey(100 as Vmid), identity: ["uuid:1"] },
  ],
  series: [
    { entity: 0, metric: 1, source: "proc" },
    { entity: 1, metric: 2, source: "pve", instance: "net0" },
  ],
};
const state = () => new FrameState(2);
const frames = [
  encodeFrame(2, now, true, Float64Array.of(1, -5), state()),
  encodeFrame(3, (now + 10_000) as EpochMs, false, Float64Array.of(1e9, Number.NaN), state()),
];
const facts: EntityFacts = {
  ...{ cluster: "00000000000000aa" as ClusterId, entity: guestKey(100 as Vmid), kind: "guest", node: "pve1" as NodeName },
  ...{ type: "qemu", name: "web", title: "web (VM 100)", tags: ["web"], pool: "prod", storages: ["nfs1"], incarnation: 1 },
};
const words = ["daily", "mon..fri 02:00", "*-*-01 00:00:00", "sat,sun *:0/15", "2026-02-29 1:2:3"];
const zones = ["UTC", "Europe/Rome", "America/St_Johns", "nonsense/zone", ...oddTexts.slice(0, 8)];
const linkWords = ["tag=prod and not (name=test* or vmid=900..999)", 'name="a b" or pool=x', "not not node=pve*"];

const bodies = new Map(
  (Object.keys(messages) as MessageType[]).map((type) => {
    const schema = toJSONSchema(messages[type].body, { unrepresentable: "any", io: "input" }) as JsonSchema;
    return [type, allowed(schema)];
  }),
);
/** Messages of the table as their schemas allow, and bent. */
const anyMessage = fc
  .constantFrom(...bodies)
  .chain(([type, body]) => fc.oneof(body, body.chain(bent)).map((one) => ({ type, body: one })));

function links(): ActionLinks {
  const dir = mkdtempSync(join(tmpdir(), "proven-fuzz-"));
  try {
    return new ActionLinks(new Secrets(dir), "https://hub.lan");
  } finally {
    rmSync(dir, { recursive: true });
  }
}
const actionLinks = links();
const claim = { action: "silence" as const, delivery: "n1", expiresAt: now };
const sealed = actionLinks.seal(claim);

/** What the hub reads: the link, settings, expressions, credentials; and what both sides read. */
export const hubTargets: Target[] = [
  ofValue("messages of the link", anyMessage, (message) => {
    for (const from of ["agent", "hub"] as const) {
      const parsed = parseMessage(message, from, 2);
      const answer = parsed.ok ? { about: "x", problem: "x" } : { about: parsed.about, problem: parsed.problem };
      if (!parseMessage({ type: "problem", body: answer }, from, 2).ok) throw new Error("the answer is no message");
    }
  }),
  ofText("texts of the link", ['{"type":"clock","body":{"at":1}}', '{"type":"ack","body":{"seq":1}}'], (text) =>
    parseMessageText(text, "agent", 2),
  ),
  ofBytes("schemas", [encodeSchema(1, schema)], (bytes) => {
    parseRecordHead(bytes);
    const decoded = decodeSchema(bytes, 1000);
    if (decoded.ok) stateFor(decoded.value.schema);
  }),
  ofBytes("frames", frames, (bytes) => decodeFrame(bytes, state())),
  ofText("hub.toml", [hubToml, ""], (text) => expecting(ConfigError)(() => parseConfig(text))),
  ofText("calendar events", words, (text) => {
    const parsed = parseCalendar(text);
    if (parsed.ok) nextInstants(parsed.event, now, "Europe/Rome", 2);
  }),
  ofValue(
    "calendar events and time zones",
    fc.tuple(fc.constantFrom(...words, ...oddTexts), fc.constantFrom(...zones)),
    ([calendar, timezone]) => recurrenceProblem(calendar, timezone),
  ),
  ofText("expressions of scopes", linkWords, (expression) => matcherOf({ expression: expression.slice(0, 1000) })(facts, null)),
  ofText("patterns of names", ["web*", "*a*b*c*", "pve?"], (text) => globMatcher(text)("web-shop-a-b-c")),
  ofText("templates", ["{verdict}: {#alerts}{title} {text}\n{/alerts}", "{{braces}} {link}"], parseTemplate),
  ofText("ids of alerts and topics", ["busy@00000000000000aa/guest/100#1", "a@b/storage/pve1/x:y#2"], (text) => {
    parseAlertId(text);
    alertTopic("proven", text);
  }),
  ofText("UPIDs and entities", [upid, "guest/100", "storage/pve1/local"], (text) => {
    parseUpid(text);
    parseEntityKey(text);
  }),
  ofText("API keys and bearer tokens", [`Bearer pvn_0123456789ab_${"0".repeat(48)}`], (text) => {
    parseApiKey(text);
    parseApiKey(parseBearer(text) ?? "");
  }),
  ofText("links of messages", [sealed], (text) => {
    const opened = actionLinks.open(text, now);
    // Base64 has several spellings of its last bits: they may open the same link, and no other.
    if (opened.state !== "forged" && !isDeepStrictEqual(opened.claim, claim)) throw new Error("a forged link was taken");
  }),
  ofText("public keys", ["MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="], parsePublicKey),
  ofText("addresses", ["192.0.2.1", "::ffff:127.0.0.1", "64:ff9b::1", "0x7f.1"], parseAddress),
  ofText("webhook secrets", [`whsec_${Buffer.alloc(24, 5).toString("base64")}`], parseWebhookSecret),
  ofText("Retry-After", ["120", "Mon, 23 Nov 2026 11:30:21 GMT"], (text) => parseRetryAfter(text, now)),
  ofText(
    "known_hosts and a node's facts",
    ["[h]:22 ssh-ed25519 AAAA\n@revoked * x y\n", "name=pve1\narchitecture=amd64\ninstalled=installed 1.0\n"],
    (text) => {
      parseKnownHosts(text, "known_hosts");
      parseFacts(text);
    },
  ),
  ofBytes("host keys", [Uint8Array.of(0, 0, 0, 3, 97, 98, 99, 1, 2)], (bytes) => parseHostKey(Buffer.from(bytes))),
  ofBytes(
    "what remote write compresses",
    [new Uint8Array(300).fill(7), Uint8Array.from({ length: 300 }, (_, i) => i)],
    (bytes) => {
      const packed = compressSnappy(bytes);
      if (packed.length > 32 + bytes.length * 1.2) throw new Error(`${bytes.length} became ${packed.length}`);
    },
  ),
];
