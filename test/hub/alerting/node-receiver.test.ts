import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodeMessage, type MessageOf, parseMessageText } from "#protocol/messages.ts";
import { createOutlet, type Outlet, type OutletPorts } from "../../../agent/outlet.ts";
import { createRunCommand } from "../../../agent/pve/run-command.ts";
import { NodeOutlets } from "../../../hub/alerting/node-receiver.ts";
import type { NodeReceiver } from "../../../hub/core/node-delivery.ts";
import type { AgentId } from "../../../hub/core/series.ts";
import { alertOf } from "../../support/alert-views.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { common, noon, notificationOf } from "../../support/notifications.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { agentOf } from "../../support/test-hub.ts";

const receiver: NodeReceiver = { ...common, type: "node", journal: true, hooks: true, mail: true };
const testMessage = notificationOf({ id: "test-1", kind: "test", reason: "test", alerts: [], nodes: [], receiver: "nodes" });
type Node = { journal: string[]; outlet: Outlet; hook(name: string, text: string): void; mails: string };
type Switches = OutletPorts["switches"];

/** Real outlets of nodes, with hooks and a sendmail that are scripts; the hub's messages go to them as text and come back as text. */
function cluster(t: TestContext, nodes: Record<string, Partial<Switches>>) {
  const clock = new FakeClock(noon);
  const made = new Map<string, Node>(Object.entries(nodes).map(([name, switches]) => [name, nodeOf(t, clock, switches)]));
  const asked: string[] = [];
  const silent = new Set<string>();
  const tell = (agent: AgentId, body: MessageOf<"outlet.tell">["body"]): boolean => {
    asked.push(agent.node);
    const parsed = parseMessageText(encodeMessage("outlet.tell", body), "hub", 2);
    const outlet = made.get(agent.node)?.outlet;
    assert.ok(parsed.ok && parsed.message.type === "outlet.tell" && outlet !== undefined);
    if (silent.has(agent.node)) return true;
    void outlet.tell(parsed.message.body).then((results) => {
      const answer = parseMessageText(encodeMessage("outlet.told", { id: body.id, results }), "agent", 2);
      assert.ok(answer.ok && answer.message.type === "outlet.told");
      outlets.told(agent, answer.message.body);
    });
    return true;
  };
  const connected = () => [...made.keys()].map((node, index) => ({ agent: agentOf(node), hasClusterDuty: index === 0 }));
  const outlets = new NodeOutlets({ clock, connected, tell });
  const node = (name: string) => made.get(name) as Node;
  return { clock, outlets, asked, silent, node };
}

function nodeOf(t: TestContext, clock: FakeClock, switches: Partial<Switches>): Node {
  const root = temporaryDir(t);
  const script = (path: string, text: string) => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  };
  mkdirSync(join(root, "etc/proven/alert.d"), { recursive: true });
  mkdirSync(join(root, "bin"));
  const mails = join(root, "mails");
  script(join(root, "bin/sendmail"), `cat >> ${mails}`);
  const journal: string[] = [];
  const outlet = createOutlet({
    switches: { journal: true, hooks: true, mail: "routed", ...switches },
    root,
    stateDir: join(root, "state"),
    run: createRunCommand({ path: `${root}/bin:/usr/bin:/bin` }),
    clock,
    log: (level, message) => void journal.push(`${level} ${message}`),
  });
  return { journal, outlet, mails, hook: (name, text) => script(join(root, "etc/proven/alert.d", name), text) };
}

test("a test goes by each way of each node for real, and says what came of each", async (t) => {
  const { outlets, node } = cluster(t, { pve1: {}, pve2: {} });
  node("pve1").hook("page", 'test "$PROVEN_ALERT_STATE" = test');
  node("pve2").hook("page", "echo no pager here >&2; exit 4");
  const result = await outlets.send(testMessage, receiver);
  const problem = result.ok ? "" : result.problem;
  assert.deepEqual([result.ok, !result.ok && result.retry], [false, false]);
  assert.match(
    problem,
    /^pve1: journal written, hooks 1 ran, mail sendmail took it; pve2: journal written, hooks failed: \S+page ended with 4: no pager here, mail sendmail took it$/,
  );
  assert.deepEqual(node("pve1").journal, ["6 alert TEST: Proven can reach this node by the receiver nodes"]);
});

test("a test fails where a hook is asked for and there is none, and where the node's own file forbids a way", async (t) => {
  const { outlets } = cluster(t, { pve1: { mail: false } });
  assert.deepEqual(await outlets.send(testMessage, { ...receiver, journal: false }), {
    ok: false,
    retry: false,
    problem:
      "pve1: hooks nothing: there is no hook in /etc/proven/alert.d that may run, " +
      `mail off: switched off: mail = false under [outlet] in /etc/proven/agent.toml of ${(await import("node:os")).hostname().replace(/\..*/, "")}`,
  });
});

test("an alert is told once by each way the receiver asks for, on its own node, however often the hub asks", async (t) => {
  const { outlets, asked, node } = cluster(t, { pve1: { journal: "routed" }, pve2: { journal: "routed" } });
  const told = notificationOf({ alerts: [alertOf({ node: "pve2", firedAt: noon })] });
  const onlyMail = { ...receiver, hooks: false };
  for (const _ of [1, 2]) {
    assert.deepEqual(await outlets.send(told, onlyMail), { ok: true, answer: "pve2: journal written, mail sendmail took it" });
  }
  assert.deepEqual(asked, ["pve2", "pve2"]);
  assert.deepEqual(node("pve2").journal, ["4 alert WARNING: web (VM 100): web (VM 100) uses 97 % of its CPU"]);
  assert.deepEqual(node("pve1").journal, []);
});

test("what goes by a way on every alert anyway is not told a second time", async (t) => {
  const { outlets, node } = cluster(t, { pve1: {} });
  const result = await outlets.send(notificationOf(), { ...receiver, hooks: false, mail: false });
  assert.deepEqual(result, { ok: true, answer: "pve1: journal every alert goes that way on this node" });
  assert.deepEqual(node("pve1").journal, []);
});

test("an alert without a node, and one whose node died, is told by the agent that speaks for the cluster", async (t) => {
  const { outlets, asked } = cluster(t, { pve1: { journal: "routed" }, pve2: {} });
  const alerts = [alertOf({ node: null, entity: "storage/nfs1" }), alertOf({ node: "pve3", entity: "node/pve3" })];
  const result = await outlets.send(notificationOf({ alerts }), { ...receiver, hooks: false, mail: false });
  assert.deepEqual([result.ok, asked], [true, ["pve1"]]);
});

test("an agent that doesn't answer, or none at all, is tried again", async (t) => {
  const { outlets, clock, silent } = cluster(t, { pve1: {} });
  silent.add("pve1");
  const sent = outlets.send(testMessage, receiver);
  await settle();
  await clock.advance(100_000);
  assert.deepEqual(await sent, { ok: false, retry: true, problem: "pve1: its agent did not answer" });
  const nobody = cluster(t, {});
  assert.deepEqual(await nobody.outlets.send(testMessage, receiver), {
    ok: false,
    retry: true,
    problem: "no agent is connected",
  });
  const deaf = await nobody.outlets.send(notificationOf(), receiver);
  assert.match(deaf.ok ? "" : deaf.problem, /^no agent of the cluster 00000000000000aa is connected$/);
});
