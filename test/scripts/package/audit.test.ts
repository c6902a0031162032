import assert from "node:assert/strict";
import { test } from "node:test";
import { advisoryText, auditLockFile, auditVerdict } from "../../../scripts/package/audit.ts";

test("nothing that the packages hold has a serious vulnerability that is known", (t) => {
  const verdict = auditLockFile();
  if (!verdict.checked) return t.skip(`not checked: ${verdict.reason}`);
  for (const one of verdict.others) t.diagnostic(advisoryText(one));
  assert.deepEqual(verdict.serious.map(advisoryText), []);
});

const advisory = (name: string, severity: string, id: string) => ({
  name,
  severity,
  title: "Bad",
  url: `https://github.com/advisories/${id}`,
});

test("a vulnerability is told once, with its library, however many others need that", () => {
  const vulnerabilities = {
    ws: { name: "ws", severity: "high", via: [advisory("ws", "high", "GHSA-1"), advisory("ws", "low", "GHSA-2")] },
    mqtt: { name: "mqtt", severity: "high", via: ["ws"] },
    hono: { name: "hono", severity: "critical", via: [advisory("hono", "critical", "GHSA-3"), advisory("ws", "high", "GHSA-1")] },
  };
  const verdict = auditVerdict(JSON.stringify({ auditReportVersion: 2, vulnerabilities }));
  assert.ok(verdict.checked);
  assert.deepEqual(
    [verdict.serious.map(({ library }) => library), verdict.others.map(({ library }) => library)],
    [["ws", "hono"], ["ws"]],
  );
});

test("a registry that doesn't answer leaves it unknown, with the reason", () => {
  const refused = '{"message":"405 Method Not Allowed","statusCode":405,"error":{"summary":"","detail":""}}';
  assert.deepEqual(auditVerdict(refused), { checked: false, reason: "405 Method Not Allowed" });
  assert.deepEqual(auditVerdict('{"error":{"summary":"no route"}}'), { checked: false, reason: "no route" });
  assert.deepEqual(auditVerdict(""), { checked: false, reason: "npm audit gave no answer" });
  assert.deepEqual(auditVerdict('{"auditReportVersion":2,"vulnerabilities":{}}'), { checked: true, serious: [], others: [] });
});
