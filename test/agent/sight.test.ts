import assert from "node:assert/strict";
import { test } from "node:test";
import { noAnswer } from "../../agent/pve/answer.ts";
import { answerSight } from "../../agent/sight.ts";

const id = "0".repeat(32);
const question = { type: "login.sight" as const, body: { id, user: "anna@pve" } };
const clock = { now: () => 0 };

test("whether anything is hidden from a user is asked as root, of who may be somebody else", async () => {
  const asked: unknown[] = [];
  const get = async (path: string, params?: object) => {
    asked.push([path, params]);
    return { ok: true as const, data: path === "/access/permissions" ? {} : [] };
  };
  const answer = await answerSight(question, { api: { get }, clock });
  assert.deepEqual(answer, { type: "login.sight.result", body: { id, state: "ok", whole: false } });
  assert.deepEqual(asked, [
    ["/access/users", undefined],
    ["/access/permissions", { userid: "anna@pve" }],
    ["/access/acl", undefined],
  ]);
  assert.equal(await answerSight({ type: "login.realms", body: { id } }, { api: { get }, clock }), undefined);
});

test("where Proxmox VE does not answer, nothing is said of the user", async () => {
  const get = async () => noAnswer("ECONNREFUSED");
  const answer = await answerSight(question, { api: { get }, clock });
  assert.deepEqual(answer?.body, { id, state: "unavailable", problem: "Proxmox VE: ECONNREFUSED" });
});
