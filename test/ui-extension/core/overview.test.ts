import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestView, NodeView } from "#protocol/api.ts";
import type { ProtectionView } from "#protocol/panel.ts";
import { consoleLink } from "../../../ui-extension/core/console-link.ts";
import { arranged, changeWidget, moveWidget, placeWidget, type WidgetId, widgetIds } from "../../../ui-extension/core/layout.ts";
import { proofWords, protectionVerdict, summarizeProtection } from "../../../ui-extension/core/protection.ts";
import { parsePushMessage } from "../../../ui-extension/core/push-message.ts";
import { search } from "../../../ui-extension/core/search.ts";
import { commandOf } from "../../../ui-extension/core/shortcuts.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { pastVerdict } from "../../../ui-extension/core/verdict.ts";
import { fakeCluster } from "../../support/fake-cluster.ts";
import { fc } from "../../support/property.ts";

const now = 1_800_000_000_000;
const world = fakeCluster({ nodes: 3, guests: 3, silent: 0, trouble: false });
const guests = world.guests(now);
const blank = { jobs: [], backedUpAt: null, backupStorage: null, overdueSince: null, nextAt: null };
const stands = (...states: ProtectionView["state"][]) =>
  new Map(
    states.map((state, index): [string, ProtectionView] => {
      const unprotected = state === "partial" ? [{ disk: "scsi1", why: "off" as const }] : [];
      const { cluster = "", entity = "", vmid = 0 } = guests[index] ?? {};
      return [`${cluster} ${entity}`, { cluster, entity, vmid, ...blank, state, unprotected }];
    }),
  );
const proven = (state: "proven" | "failed" | "overdue"): GuestView[] =>
  guests.map((guest) => ({ ...guest, proof: { state, level: "works", at: now, durationMs: 1, runId: "r" } }));

const verdicts: [name: string, GuestView[], ReturnType<typeof stands> | undefined, level: string, text: string][] = [
  [
    "backed up in time, never restored: calm, not green",
    guests,
    stands("current", "current", "current"),
    "calm",
    "Every guest has the backup its calendar asks for",
  ],
  [
    "backed up in time and every one restored: green",
    proven("proven"),
    stands("current", "current", "current"),
    "fine",
    "Every guest has the backup its calendar asks for",
  ],
  [
    "proofs too old: calm",
    proven("overdue"),
    stands("current", "current", "current"),
    "calm",
    "Every guest has the backup its calendar asks for",
  ],
  [
    "restore tests failed: critical",
    proven("failed"),
    stands("current", "current", "current"),
    "critical",
    "3 restore tests failed",
  ],
  ["one missed: critical", guests, stands("current", "overdue", "none"), "critical", "1 guest missed its backup"],
  ["one in no job: a warning", guests, stands("current", "none", "unknown"), "warning", "1 guest is in no backup job"],
  [
    "one disk in no backup: a warning",
    guests,
    stands("current", "partial", "unknown"),
    "warning",
    "Of 1 guest a disk is in no backup",
  ],
  ["one unknown: unknown", guests, stands("current", "unknown", "current"), "unknown", "Of 1 guest nobody can tell"],
  ["the hub has not said yet: unknown", guests, undefined, "unknown", "Of 3 guests nobody can tell"],
  ["no guest: unknown", [], stands(), "unknown", "No guest is known"],
];
for (const [name, of, protections, level, text] of verdicts) {
  test(`is everything protected: ${name}`, () => {
    assert.deepEqual(protectionVerdict(summarizeProtection(of, protections), t), { level, text });
  });
}

test("what is proven is told in figures, and that nothing is where nothing was restored", () => {
  assert.match(proofWords(summarizeProtection(guests, undefined), t), /^No restore proof yet/);
  const [first = guests[0], ...rest] = proven("proven");
  const mixed = [first, ...rest.map(({ proof: _, ...guest }) => guest)].filter((guest) => guest !== undefined);
  assert.equal(proofWords(summarizeProtection(mixed, undefined), t), "1 of 3 restored and proven · 2 without proof");
});

test("a verdict of some time ago is unknown now, whatever it was", () => {
  assert.deepEqual(pastVerdict({ level: "fine", text: "Everything that reports is fine", unknown: [] }, "2 h", t), {
    level: "unknown",
    text: "Not known now; 2 h ago: Everything that reports is fine",
    unknown: [],
  });
});

test("an arrangement always has every widget once, whatever was saved", () => {
  const saved = fc.array(
    fc.record({
      id: fc.oneof(fc.constantFrom(...widgetIds), fc.string()),
      width: fc.constantFrom("half" as const, "full" as const),
      hidden: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(saved, (list) =>
      assert.deepEqual(
        arranged(list)
          .map(({ id }) => id)
          .sort(),
        [...widgetIds].sort(),
      ),
    ),
  );
});

test("moving a widget jumps over hidden ones, and stops at the ends", () => {
  const ids = (widgets: { id: WidgetId }[]) => widgets.map(({ id }) => id).slice(0, 5);
  const usual = changeWidget(arranged([]), "nodes", { hidden: true });
  assert.deepEqual(ids(usual), ["figures", "nodes", "recovery", "storages", "busiest"]);
  assert.deepEqual(ids(moveWidget(usual, "recovery", -1)), ["recovery", "figures", "nodes", "storages", "busiest"]);
  assert.deepEqual(ids(moveWidget(usual, "figures", -1)), ["figures", "nodes", "recovery", "storages", "busiest"]);
  assert.deepEqual(ids(placeWidget(usual, "guests", 0)), ["guests", "figures", "nodes", "recovery", "storages"]);
});

const findable = ["100 web01", "117 mail02", "pve2", "nfs1", "Silences", "web01 (VM 100) uses 97 % of its CPU"].map((title) => ({
  key: title,
  title,
  words: title === "117 mail02" ? "pve3 prod" : "",
}));
const questions: [question: string, found: string[]][] = [
  ["web", ["100 web01", "web01 (VM 100) uses 97 % of its CPU"]],
  ["prod mail", ["117 mail02"]],
  ["wb01", ["100 web01", "web01 (VM 100) uses 97 % of its CPU"]],
  ["silnc", ["Silences"]],
  ["NFS1", ["nfs1"]],
  ["zzz", []],
  ["", []],
];
for (const [question, found] of questions) {
  test(`searching "${question}" finds ${found.join(", ") || "nothing"}`, () => {
    assert.deepEqual(
      search(findable, question, 10).map(({ title }) => title),
      found,
    );
  });
}

test("keys: Ctrl-K works in a field, the others only outside; g waits for one more key", () => {
  const key = (name: string, more = {}) => ({ key: name, ctrl: false, alt: false, meta: false, inField: false, ...more });
  assert.deepEqual(commandOf(key("k", { ctrl: true, inField: true }), false), { command: { do: "search" }, waiting: false });
  assert.deepEqual(commandOf(key("/", { inField: true }), false), { command: undefined, waiting: false });
  assert.deepEqual(commandOf(key("g"), false), { command: undefined, waiting: true });
  assert.deepEqual(commandOf(key("a"), true), { command: { do: "section", section: "alerts" }, waiting: false });
  assert.deepEqual(commandOf(key("x"), true), { command: undefined, waiting: false });
  assert.deepEqual(commandOf(key("f", { ctrl: true }), false), { command: undefined, waiting: false });
});

test("a push message that can't be read is told as such, and only pages of the web are links", () => {
  assert.equal(parsePushMessage("no json"), undefined);
  assert.equal(parsePushMessage('{"title":3}'), undefined);
  const message = parsePushMessage(
    JSON.stringify({
      title: "T",
      link: "javascript:alert(1)",
      severity: "critical",
      kind: "firing",
      actions: [{ action: "a", title: "A", url: "https://hub/act/x" }, { action: "b", title: "B", url: "file:///etc" }, 7],
    }),
  );
  assert.deepEqual(message, {
    title: "T",
    body: "",
    link: undefined,
    tag: undefined,
    isCritical: true,
    isResolved: false,
    actions: [{ action: "a", title: "A", url: "https://hub/act/x" }],
  });
});

test("a console's link names guest and node, and escapes what names hold", () => {
  const [guest] = guests;
  if (guest === undefined) throw new Error("no guest");
  const nodes: NodeView[] = world.nodes(now).map((node) => ({ ...node, ip: "2001:db8::5" }));
  const evil = { ...guest, name: "a&cmd=rm #" };
  assert.equal(
    consoleLink(evil, nodes),
    `https://[2001:db8::5]:8006/?console=kvm&novnc=1&vmid=100&vmname=a%26cmd%3Drm%20%23&node=${guest.node}&resize=off&cmd=`,
  );
  assert.equal(consoleLink({ ...guest, template: true }, nodes), undefined);
  assert.match(consoleLink(guest, [], "https://pve.lan:8006") ?? "", /^https:\/\/pve\.lan:8006\/\?console=kvm/);
});
