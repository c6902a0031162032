import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, MessageOf } from "#protocol/messages.ts";
import { factorsOf } from "../../../agent/gateway/logins.ts";
import { carolsCode, passwordOf } from "../../lab/sign-in.ts";
import { startGateway } from "../../support/gateway-bench.ts";

const id = "0123456789abcdef0123456789abcdef";

async function setUp(t: Parameters<typeof startGateway>[0]) {
  const bench = await startGateway(t);
  const ask = async <T extends "login.result" | "login.view.result" | "login.permissions.result" | "login.realms.result">(
    message: Message,
    type: T,
  ) => {
    const reply = await bench.logins.answer(message);
    assert.equal(reply?.type, type);
    return reply?.body as MessageOf<T>["body"];
  };
  const start = (user: string, realm: string, password: string) =>
    ask({ type: "login.start", body: { id, user, realm, password } }, "login.result");
  return { ...bench, ask, start };
}

test("a password that Proxmox VE takes gives a session and what its user sees, and never the ticket", async (t) => {
  const { start, ask } = await setUp(t);
  const result = await start("alice", "pve", passwordOf("alice@pve"));
  assert.equal(result.state, "ok");
  if (result.state !== "ok") return;
  assert.equal(result.user, "alice@pve");
  assert.ok(result.view.guests.length > 30);
  assert.doesNotMatch(JSON.stringify(result), /PVE:/);
  const view = await ask({ type: "login.view", body: { id, session: result.session } }, "login.view.result");
  assert.equal(view.state, "ok");
});

const refused: [name: string, user: string, realm: string, password: string][] = [
  ["a wrong password", "alice", "pve", "wrong"],
  ["a user that doesn't exist", "nobody", "pve", "x"],
  ["a disabled user", "dora", "pve", passwordOf("dora@pve")],
];
for (const [name, user, realm, password] of refused) {
  test(`${name} is refused, and nothing tells which it was`, async (t) => {
    const { start } = await setUp(t);
    assert.deepEqual(await start(user, realm, password), { id, state: "refused" });
  });
}

test("a second factor is asked for, answered once, and a wrong code is no session", async (t) => {
  const { start, ask } = await setUp(t);
  const first = await start("carol", "pve", passwordOf("carol@pve"));
  assert.equal(first.state, "tfa-needed");
  if (first.state !== "tfa-needed") return;
  assert.deepEqual(first.kinds, ["totp"]);
  const answer = (challenge: string, code: string) =>
    ask({ type: "login.answer", body: { id, challenge, kind: "totp", code } }, "login.result");
  assert.equal((await answer(first.challenge, "000000")).state, "refused");
  assert.equal((await answer(first.challenge, carolsCode)).state, "refused", "a challenge is good for one answer");
  const again = await start("carol", "pve", passwordOf("carol@pve"));
  assert.equal(again.state === "tfa-needed" ? (await answer(again.challenge, carolsCode)).state : again.state, "ok");
});

test("a ticket is renewed after an hour, and the session ends when Proxmox VE no longer takes it", async (t) => {
  const { start, ask, clock } = await setUp(t);
  const result = await start("root", "pam", passwordOf("root@pam"));
  assert.equal(result.state, "ok");
  if (result.state !== "ok") return;
  const look = () => ask({ type: "login.view", body: { id, session: result.session } }, "login.view.result");
  await clock.advance(5_400_000);
  assert.equal((await look()).state, "ok");
  await clock.advance(5_400_000);
  assert.equal((await look()).state, "ok", "the renewed one is 90 minutes old");
  await clock.advance(7_300_000);
  assert.equal((await look()).state, "ended", "nobody renewed it for two hours");
});

test("privileges are asked with the session's ticket, path by path", async (t) => {
  const { start, ask, lab } = await setUp(t);
  const [first = 0, second = 0] = lab.world.spec.guests.map(({ vmid }) => vmid);
  const result = await start("bob", "pve", passwordOf("bob@pve"));
  if (result.state !== "ok") return assert.fail(result.state);
  const paths = [`/vms/${first}`, `/vms/${second}`];
  const answer = await ask(
    { type: "login.permissions", body: { id, session: result.session, paths } },
    "login.permissions.result",
  );
  assert.equal(answer.state, "ok");
  if (answer.state !== "ok") return;
  assert.ok(answer.permissions[0]?.privileges.includes("VM.PowerMgmt"));
  assert.deepEqual(answer.permissions[1], { path: paths[1], privileges: [] });
});

test("a session that was ended, or never was, sees nothing", async (t) => {
  const { start, ask, logins } = await setUp(t);
  const result = await start("root", "pam", passwordOf("root@pam"));
  if (result.state !== "ok") return assert.fail(result.state);
  await logins.answer({ type: "login.end", body: { session: result.session } });
  for (const session of [result.session, "0".repeat(64)])
    assert.equal((await ask({ type: "login.view", body: { id, session } }, "login.view.result")).state, "ended");
});

test("the realms to choose from are Proxmox VE's, its own default first", async (t) => {
  const { ask } = await setUp(t);
  const answer = await ask({ type: "login.realms", body: { id } }, "login.realms.result");
  assert.deepEqual(answer.state === "ok" ? answer.realms.map(({ realm, preselected }) => [realm, preselected]) : answer, [
    ["pam", false],
    ["pve", true],
  ]);
});

test("factors that can't be typed in are left out", () => {
  const ticket = (challenge: object) => `PVE:!tfa!${encodeURIComponent(JSON.stringify(challenge))}:6B03A9C5::x`;
  assert.deepEqual(factorsOf(ticket({ totp: true, recovery: [0, 3], webauthn: {} })), ["totp", "recovery"]);
  assert.deepEqual(factorsOf(ticket({ webauthn: {}, recovery: "unavailable", yubico: false })), []);
  assert.deepEqual(factorsOf("PVE:root@pam:6B03A9C5::x"), []);
});
