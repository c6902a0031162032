import assert from "node:assert/strict";
import { test } from "node:test";
import { expectedLog, play } from "./play.ts";

test("scenario quiet-week", async () => assert.equal(await play("quiet-week"), expectedLog("quiet-week")));
