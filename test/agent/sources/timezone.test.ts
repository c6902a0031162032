import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { NowReader } from "../../../agent/sources/files.ts";
import { readTimezone } from "../../../agent/sources/timezone.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

function rootWith(t: TestContext, { link, file }: { link?: string; file?: string }): string {
  const root = temporaryDir(t);
  mkdirSync(join(root, "etc"));
  if (link !== undefined) symlinkSync(link, join(root, "etc/localtime"));
  if (file !== undefined) writeFileSync(join(root, "etc/timezone"), file);
  return root;
}

const cases: [name: string, etc: { link?: string; file?: string }, timezone: string | undefined][] = [
  ["what localtime points at counts", { link: "/usr/share/zoneinfo/Europe/Rome", file: "Etc/UTC\n" }, "Europe/Rome"],
  [
    "a relative link is one, too",
    { link: "../usr/share/zoneinfo/America/Argentina/Buenos_Aires" },
    "America/Argentina/Buenos_Aires",
  ],
  ["else what the file says", { file: "Asia/Tokyo\n" }, "Asia/Tokyo"],
  ["nothing there: nobody knows", {}, undefined],
  ["what is no name is none", { file: "rm -rf /; \n" }, undefined],
];
for (const [name, etc, timezone] of cases) {
  test(`a node's timezone: ${name}`, (t) => {
    const root = rootWith(t, etc);
    assert.equal(readTimezone(root, new NowReader(root)), timezone);
  });
}
