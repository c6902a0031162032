import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { commands } from "../../../hub/cli/commands.ts";
import { agentOf, testHub } from "../../support/test-hub.ts";

const fingerprint = async () => "AA:BB";
const by = { actor: "test", reason: "test" };

/** `proven-hub VERB …` on the hub's own state store: the lines it prints. */
function commandLine(hub: ReturnType<typeof testHub>) {
  return async (line: string): Promise<string[]> => {
    const [first = "", second = "", ...args] = line.split(" ");
    const said: string[] = [];
    const agentUrls = () => ["wss://192.0.2.1:8420/agent", "wss://[2001:db8::1]:8420/agent"];
    const say = (text: string) => said.push(text);
    const ports = { state: hub.state, now: hub.clock.now(), user: "root", fingerprint, agentUrls, say };
    await commands[`${first} ${second}`]?.run(args, ports);
    return said;
  };
}

test("a join token is listed without its secret, as open, used or expired", async (t) => {
  const hub = testHub(t);
  const run = commandLine(hub);
  const { id, token, ...rest } = JSON.parse((await run("token create --expires-minutes 5 --json"))[0] ?? "");
  const startedAt = hub.clock.now();
  assert.deepEqual(rest, { fingerprint: "AA:BB", expiresAt: startedAt + 300_000 });
  assert.match((await run("token list"))[0] ?? "", new RegExp(`^${id} {2}created \\S+ {2}open until \\S+Z$`));
  assert.doesNotMatch((await run("token list --json"))[0] ?? "", new RegExp(token.split("_")[2]));

  await hub.clock.advance(300_000);
  assert.match((await run("token list"))[0] ?? "", / {2}expired /);
  hub.state.update("joinToken", id, by, (present) => present && { ...present, usedAt: startedAt as EpochMs, usedBy: "c/pve1" });
  assert.match((await run("token list"))[0] ?? "", / {2}used \S+ by c\/pve1$/);
});

test("a new join token comes with the whole command for the node", async (t) => {
  const said = await commandLine(testHub(t))("token create --expires-minutes 5");
  const token = /^token +(pvj_\w+)$/.exec(said[0] ?? "")?.[1];
  assert.deepEqual(said.slice(1), [
    "fingerprint  AA:BB",
    "on the node, once, within 5 minutes:",
    `  proven-agent join wss://192.0.2.1:8420/agent --token ${token} --fingerprint AA:BB && systemctl restart proven-agent`,
    "  (this hub may be reached at wss://[2001:db8::1]:8420/agent, too)",
  ]);
});

test("an unused token is revoked, and one that was used is not: its agent has to be", async (t) => {
  const hub = testHub(t);
  const run = commandLine(hub);
  const make = async () => JSON.parse((await run("token create --json"))[0] ?? "").id as string;
  const [open, used] = [await make(), await make()];
  hub.state.update("joinToken", used, by, (present) => present && { ...present, usedAt: hub.clock.now(), usedBy: "c/pve1" });

  assert.deepEqual(await run(`token revoke ${open}`), [`revoked ${open}`]);
  await assert.rejects(run(`token revoke ${open}`), /no unused token/);
  await assert.rejects(run(`token revoke ${used}`), /agent revoke/);
  assert.equal((await run("token list")).length, 1);
  assert.equal(hub.state.verifyAudit().ok, true);
});

test("agents are listed for scripts with when they were last connected", async (t) => {
  const hub = testHub(t);
  const { cluster, node } = agentOf("pve1");
  const agent = {
    cluster,
    node,
    clusterName: "lab",
    publicKey: "k",
    revokedKeys: [],
    joinedAt: hub.clock.now(),
    revokedAt: null,
  };
  hub.state.put("agent", `${cluster}/${node}`, agent, by);
  const run = commandLine(hub);
  const listed = async () => JSON.parse((await run("agent list --json"))[0] ?? "")[0];
  assert.equal((await listed()).connectedAt, null);
  hub.fleet.opened({ agent: agentOf("pve1"), clusterName: "lab", software: "proven-agent/1", skewMs: 0, joinedBy: undefined });
  hub.fleet.save();
  assert.deepEqual(await listed(), {
    id: `${cluster}/pve1`,
    cluster,
    node: "pve1",
    clusterName: "lab",
    publicKey: "k",
    joinedAt: hub.clock.now(),
    connectedAt: hub.clock.now(),
    software: "proven-agent/1",
  });
  await run(`agent revoke ${cluster}/pve1`);
  assert.equal((await listed()).publicKey, null);
});
