import assert from "node:assert/strict";
import { test } from "node:test";
import { taskWords } from "../../../ui-extension/core/tasks.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";

test("tasks are told in words, with what they are about; one without words keeps Proxmox VE's name", () => {
  const cases: [type: string, id: string, words: string][] = [
    ["qmstart", "100", "Start 100"],
    ["vzstart", "103", "Start 103"],
    ["vzdump", "", "Backup"],
    ["vzdump", "100", "Backup 100"],
    ["qmrestore", "990000", "Restore 990000"],
    ["qmigrate", "100", "Migrate 100"],
    ["vzmigrate", "103", "Migrate 103"],
    ["aptupdate", "", "Read package lists"],
    ["cephcreateosd", "sdb", "cephcreateosd sdb"],
    ["toString", "", "toString"],
    ["qmtoString", "", "qmtoString"],
  ];
  assert.deepEqual(
    cases.map(([type, id]) => [type, id, taskWords({ type, id }, inEnglish)]),
    cases,
  );
});
