import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalCodes } from "#protocol/messages.ts";
import { judgeAdmission, judgePage, judgeQuorum } from "../../../agent/core/doctor.ts";

const line = '<script src="/pve2/js/proven-host.js?ver=1"></script>';

test("the page has our line when it is wanted, and only then", () => {
  assert.deepEqual(
    [judgePage(line, true), judgePage("", false), judgePage("", true), judgePage(line, false)].map(({ state, says }) => [
      state,
      says,
    ]),
    [
      ["ok", "has our line"],
      ["ok", "has no line of ours, as it should be"],
      ["trouble", "lacks our line: there is no Proven tab"],
      ["trouble", "still has our line"],
    ],
  );
});

test("a cluster without quorum is in trouble, a node by itself isn't", () => {
  assert.equal(judgeQuorum('{ "cluster": { "quorate": 0 } }').state, "trouble");
  assert.equal(judgeQuorum('{ "cluster": { "quorate": 1 } }').says, "quorate");
  assert.equal(judgeQuorum('{ "nodename": "pve" }').says, "a node by itself");
});

test("a hub that answers and refuses this agent is in trouble, with what to do about each reason, until it lets it in", () => {
  const refused = (code: keyof typeof refusalCodes) =>
    `the hub refused this agent: ${refusalCodes[code].text} code=${code} problem="no node"`;
  const joined = "joined the hub url=wss://h:8420/agent waiting=0";
  assert.deepEqual(judgeAdmission(["agent started stream=1", joined, refused("revoked"), "gateway listens"].join("\n")), {
    about: "hub",
    state: "trouble",
    says: "refuses this agent: This agent was revoked",
    remedy:
      "if it may come back: rm /var/lib/proven-agent/agent.key and systemctl restart proven-agent; where it joins by token, proven-agent join before that",
  });
  assert.match(judgeAdmission(refused("key-changed"))?.remedy ?? "", /proven-hub agent revoke CLUSTER\/NODE/);
  assert.match(judgeAdmission(refused("bad-join"))?.remedy ?? "", /proven-hub setup; elsewhere: proven-hub token create/);
  assert.match(judgeAdmission(refused("overloaded"))?.remedy ?? "", /proven-hub doctor/);
  for (const lines of [
    [],
    [refused("bad-join"), joined],
    [refused("bad-join"), "connected to the hub url=x"],
    [refused("bad-join"), "agent started"],
  ])
    assert.equal(judgeAdmission(lines.join("\n")), undefined);
});
