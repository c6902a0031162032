import type { TestContext } from "node:test";
import { toJSONSchema } from "zod";
import type { EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { guestKey, nodeKey } from "#protocol/ids.ts";
import { encodeMessage, type MessageType, messages } from "#protocol/messages.ts";
import { encodeFrame, encodeSchema, FrameState, type Schema } from "#protocol/records.ts";
import { linkVersions } from "#protocol/version.ts";
import type { FrontDesk } from "../../../hub/link/front-desk.ts";
import { AgentSession } from "../../../hub/link/session.ts";
import { sessionEvents } from "../../../hub/session-events.ts";
import { Troubles } from "../../../hub/troubles.ts";
import { fc } from "../property.ts";
import { agentOf, clusterA, inventoryOf, testHub } from "../test-hub.ts";
import { allowed, bent, bentBytes, type JsonSchema } from "./values.ts";

/** An agent that was let in and says anything: what the hub makes of it, and of what it then knows. */

const schema: Schema = {
  entities: [
    { key: nodeKey("pve1" as NodeName), identity: [] },
    { key: guestKey(100 as Vmid), identity: ["uuid:1"] },
  ],
  series: [
    { entity: 0, metric: 1, source: "proc" },
    { entity: 1, metric: 2, source: "pve", instance: "net0" },
  ],
};
const records = [
  encodeSchema(1, schema),
  encodeFrame(2, 1_795_399_738_000 as EpochMs, true, Float64Array.of(1, 2), new FrameState(2)),
  encodeFrame(3, 1_795_399_748_000 as EpochMs, false, Float64Array.of(3, 4), new FrameState(2)),
];
const ofAgents = (Object.keys(messages) as MessageType[]).filter((type) => messages[type].from !== "hub" && type !== "hello");
const bodies = ofAgents.map((type): [MessageType, fc.Arbitrary<unknown>] => {
  const body = toJSONSchema(messages[type].body, { unrepresentable: "any", io: "input" }) as JsonSchema;
  return [type, allowed(body)];
});
const inventory = inventoryOf({ guests: [{ vmid: 100, name: "web" }], storages: [] });

const message: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: bent(inventory).map((body) => JSON.stringify({ type: "inventory", body })) },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom(...bodies)
      .chain(([type, body]) => fc.oneof(body, body.chain(bent)).map((one) => JSON.stringify({ type, body: one }))),
  },
);
const record = fc.oneof(fc.constantFrom(...records), fc.constantFrom(...records).chain(bentBytes));
const conversation = fc.array(fc.oneof(message, record), { minLength: 1, maxLength: 8 });

export function openLink(t: Pick<TestContext, "after">) {
  const hub = testHub(t as TestContext);
  const problems: string[] = [];
  const agent = agentOf("pve1");
  const desk: Pick<FrontDesk, "enter"> = {
    enter({ decide, tell }) {
      decide();
      tell(undefined);
    },
  };
  const events = sessionEvents({
    clock: hub.clock,
    desk,
    fleet: hub.fleet,
    tasks: hub.tasks,
    journal: hub.journal,
    troubles: new Troubles(),
    log: (_, line) => problems.push(line),
    link: () => ({ register: () => undefined, unregister: () => true, isHere: () => false }),
    welcomed: () => undefined,
    told: () => undefined,
    logins: { answered: () => false, lost: () => undefined },
    restore: hub.restore.session,
  });
  const hello = {
    ...{ node: "pve1", clusterId: clusterA, publicKey: "AAAA", signature: "AAAA", min: 1, max: linkVersions.max },
    ...{ software: "proven-agent/0.1.0", stream: "0".repeat(32), sentAt: hub.clock.now() },
  };

  /** @throws where something failed that the hub would have to write into its journal. */
  function converse(said: readonly (string | Uint8Array)[]): void {
    const admit = () => ({ ok: true as const, agent, version: linkVersions.max, joinedBy: undefined });
    const socket = { address: "192.0.2.1", send: () => undefined, close: () => undefined };
    const session = new AgentSession(socket, {
      clock: hub.clock,
      sink: hub.series.sink,
      admit,
      takeNextKey: () => false,
      desk,
      events,
    });
    session.receive(encodeMessage("hello", hello));
    for (const one of said) session.receive(one);
    hub.watch.tick();
    hub.alerting.tick();
    session.lost("over");
    const [problem] = problems.splice(0);
    if (problem !== undefined) throw new Error(problem);
  }
  return { hub, converse };
}

export const linkProperty = ({ converse }: Pick<ReturnType<typeof openLink>, "converse">) => fc.property(conversation, converse);
