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

test("an account that expires is judged by this node's clock, in Proxmox VE's seconds", async () => {
  const paths = ["/", "/nodes", "/storage", "/vms"];
  const auditor = { "Sys.Audit": 1, "VM.Audit": 1, "Datastore.Audit": 1 };
  const get = async (path: string) => {
    if (path === "/access/users") return { ok: true as const, data: [{ userid: "anna@pve", enable: 1, expire: 1_800_000_000 }] };
    return { ok: true as const, data: path === "/access/acl" ? [] : Object.fromEntries(paths.map((one) => [one, auditor])) };
  };
  const wholeAt = async (nowMs: number) => (await answerSight(question, { api: { get }, clock: { now: () => nowMs } }))?.body;
  assert.deepEqual(await wholeAt(1_799_999_999_000), { id, state: "ok", whole: true });
  assert.deepEqual(await wholeAt(1_800_000_000_000), { id, state: "ok", whole: false });
});

test("where one answer is missing, its own problem is named, and where one is not understood, that is said", async () => {
  const without = (missing: string, answer: object) => async (path: string) =>
    path === missing ? (answer as never) : { ok: true as const, data: path === "/access/permissions" ? {} : [] };
  const timedOut = { api: { get: without("/access/acl", noAnswer("timeout")) }, clock };
  assert.deepEqual((await answerSight(question, timedOut))?.body, { id, state: "unavailable", problem: "Proxmox VE: timeout" });
  const odd = { api: { get: without("/access/acl", { ok: true, data: "?" }) }, clock };
  const { body } = (await answerSight(question, odd)) ?? assert.fail();
  assert.deepEqual(body, { id, state: "unavailable", problem: "Proxmox VE: an answer was not understood" });
});
