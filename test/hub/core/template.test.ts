import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { exampleNotification } from "../../../hub/core/example-notification.ts";
import { cutLines, cutText, messageOf, plainText } from "../../../hub/core/message.ts";
import { parseTemplate } from "../../../hub/core/template.ts";
import { alertOf } from "../../support/alert-views.ts";
import { noon, notificationOf, resolvedOf } from "../../support/notifications.ts";
import { fc } from "../../support/property.ts";

const base = "https://hub.lan";
const rendered = (template: string) => messageOf(exampleNotification(noon as EpochMs), base, template).body;

test("a template has the message's values, and each alert's between {#alerts} and {/alerts}", () => {
  assert.equal(
    rendered(
      "{count} alerts, worst {severity}:\n{#alerts}- {title}: {value} of {threshold} for {duration}, {verdict}\n{/alerts}{{end}}",
    ),
    [
      "2 alerts, worst critical:",
      "- storage tank: 97 % of 95 % for 12 min, CRITICAL: Storage nearly full: storage tank is at 97 %, above 95 % (and 1 more)",
      "- web (VM 100): 93 % of 90 % for 12 min, CRITICAL: Storage nearly full: storage tank is at 97 %, above 95 % (and 1 more)",
      "{end}",
    ].join("\n"),
  );
});

const wrong: [template: string, problem: string, remedy: RegExp][] = [
  ["{titel}", "unknown placeholder {titel}", /^known: \{verdict\} .*\{title\}/],
  ["{title}", "{title} is about one alert", /between \{#alerts\} and \{\/alerts\}/],
  ["{#alerts}{title}", "{#alerts} is not closed", /\{\/alerts\}/],
  ["{/alerts}", "{/alerts} without {#alerts}", /begin/],
  ["{#alerts}{#alerts}{/alerts}{/alerts}", "{#alerts} within {#alerts}", /close/],
  ["a { b", "a single {", /\{\{/],
  ["{constructor}", "unknown placeholder {constructor}", /known/],
];
for (const [template, problem, remedy] of wrong) {
  test(`the template ${template} is refused: ${problem}`, () => {
    const parsed = parseTemplate(template);
    assert.equal(!parsed.ok && parsed.problem, problem);
    assert.match(parsed.ok ? "" : parsed.remedy, remedy);
  });
}

test("a value with braces is text, never a template", () => {
  const alert = { ...notificationOf().alerts[0], title: "{link}{#alerts}" } as ReturnType<
    typeof notificationOf
  >["alerts"][number];
  assert.equal(messageOf(notificationOf({ alerts: [alert] }), base, "{#alerts}{title}{/alerts}").body, "{link}{#alerts}");
});

test("any text is a template or is refused, and what is accepted can be rendered", () => {
  const piece = fc.constantFrom("{", "}", "{{", "}}", "{#alerts}", "{/alerts}", "{title}", "{verdict}", "{x}", "a", "\n", "🧨");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const parsed = parseTemplate(pieces.join(""));
      assert.ok(parsed.ok ? typeof rendered(pieces.join("")) === "string" : parsed.remedy.length > 0);
    }),
  );
});

test("the built-in message: verdict, object, value, threshold, since, link", () => {
  assert.equal(
    plainText(messageOf(exampleNotification(noon as EpochMs), base)),
    [
      "CRITICAL: Storage nearly full: storage tank is at 97 %, above 95 % (and 1 more)",
      "",
      "storage tank [critical]",
      "value 97 %, threshold 95 %",
      "since 2026-01-05 11:48 UTC (12 min)",
      "What to do: Remove old backups or enlarge the pool",
      "",
      "web (VM 100) on pve1 [warning]",
      "Guest CPU: web (VM 100) is at 93 %, above 90 %",
      "value 93 %, threshold 90 %",
      "since 2026-01-05 11:48 UTC (12 min)",
      "",
      "https://hub.lan/#/alerts",
    ].join("\n"),
  );
  assert.match(messageOf(resolvedOf(), base).body, /^web \(VM 100\) on pve1 \[resolved\]\n/);
});

test("what stands below an alert's sentence stands below the verdict, each line as one and none as ours", () => {
  const text = "The newest restore test of web (VM 100) failed: no boot\nBackup: nfs1:backup/x.vma.zst\nLog:\nkernel\u2028panic";
  const { verdict, body } = messageOf(
    notificationOf({ verdict: "CRITICAL: The newest restore test of web (VM 100) failed: no boot", alerts: [alertOf({ text })] }),
    base,
  );
  assert.equal(verdict, "CRITICAL: The newest restore test of web (VM 100) failed: no boot");
  assert.match(body, /\n\| Backup: nfs1:backup\/x\.vma\.zst\n\| Log:\n\| kernel panic(\n|$)/);
  assert.equal(body.includes("no boot"), false);
});

test("line ends and control characters of a name can't forge lines or headers", () => {
  const { verdict } = messageOf(notificationOf({ verdict: "WARNING: a\r\nBcc: x@example.org\u0007\u2028b" }), base);
  assert.equal(verdict, "WARNING: a Bcc: x@example.org b");
});

test("cutting never passes the bound, keeps whole characters and says that it cut", () => {
  const text = fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { maxLength: 30 }).map((lines) => lines.join("\n"));
  const bytes = (all: string) => new TextEncoder().encode(all).length;
  fc.assert(
    fc.property(text, fc.integer({ min: 40, max: 400 }), (all, max) => {
      for (const measure of [(one: string) => one.length, bytes]) {
        const cut = cutLines(all, max, measure);
        assert.ok(measure(cut) <= max && !/\p{Surrogate}/u.test(cut));
        assert.ok(cut === all || cut.includes("…"));
        assert.ok(measure(cutText(all, max, measure)) <= max);
      }
    }),
  );
});
