import assert from "node:assert/strict";
import { test } from "node:test";
import { alertHistoryPage } from "../../../hub/core/alert-history.ts";
import { parseAlertId } from "../../../hub/core/alert-id.ts";
import { alertOf } from "../../support/alert-views.ts";
import { fc } from "../../support/property.ts";

const ended = (rule: string, resolvedAt: number) => alertOf({ rule, state: "resolved", resolvedAt });
const rules = (page: ReturnType<typeof alertHistoryPage>) => [page.items.map(({ rule }) => rule).join(), page.next];

test("history goes page by page, the newest end first, and what ended together stays together", () => {
  const all = [ended("a", 1), ended("b", 3), ended("c", 2), ended("d", 2)];
  assert.deepEqual(rules(alertHistoryPage(all, {}, { limit: 2, cursor: undefined })), ["b,c,d", 2]);
  assert.deepEqual(rules(alertHistoryPage(all, {}, { limit: 2, cursor: 2 })), ["a", null]);
  assert.deepEqual(rules(alertHistoryPage(all, { since: 2, rule: "c" }, { limit: 2, cursor: undefined })), ["c", null]);
});

test("all pages together hold every alert once", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (times, limit) => {
      const all = times.map((at, index) => ended(`r${index}`, at));
      const seen: string[] = [];
      let cursor: number | undefined;
      for (let pages = 0; pages <= times.length; pages++) {
        const page = alertHistoryPage(all, {}, { limit, cursor });
        seen.push(...page.items.map(({ rule }) => rule));
        if (page.next === null) break;
        cursor = page.next;
      }
      assert.deepEqual(seen.sort(), all.map(({ rule }) => rule).sort());
    }),
  );
});

test("an alert's id gives back its rule and subject; anything else is none", () => {
  assert.deepEqual(parseAlertId("storage-full@aa/storage/pve1/local#1"), {
    rule: "storage-full",
    cluster: "aa",
    entity: "storage/pve1/local",
    incarnation: 1,
    instance: null,
  });
  assert.equal(parseAlertId("storage-full@aa/storage/local")?.rule, undefined);
});
