import assert from "node:assert/strict";
import { test } from "node:test";
import { FeedAge } from "../../../agent/core/feed.ts";

test("the first time stamp is as old as the wall clock says", () => {
  assert.equal(new FeedAge().ageMs(1_000_000, 1_025_000, 0), 25_000);
});

test("a time stamp that stands still grows old", () => {
  const age = new FeedAge();
  age.ageMs(1_000_000, 1_000_000, 0);
  age.ageMs(1_010_000, 1_010_000, 10_000);
  assert.equal(age.ageMs(1_010_000, 1_041_000, 41_000), 31_000);
});

test("a wall clock that is set by an hour makes nothing old that still changes", () => {
  const age = new FeedAge();
  age.ageMs(1_000_000, 1_000_000, 0);
  age.ageMs(1_010_000, 1_010_000, 10_000);
  assert.equal(age.ageMs(1_010_000, 4_620_000, 15_000), 5_000);
  assert.equal(age.ageMs(4_620_000, 4_620_000, 20_000), 0);
});
