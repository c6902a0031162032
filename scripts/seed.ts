import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EpochMs } from "#protocol/ids.ts";
import { parseRecordHead, type Schema } from "#protocol/records.ts";
import { createCollector } from "../agent/collector.ts";
import { SampleTable } from "../agent/core/table.ts";
import { loadIdentity } from "../agent/identity.ts";
import { createPveApi } from "../agent/pve/api.ts";
import { createRunCommand } from "../agent/pve/run-command.ts";
import { seedFrames } from "../test/lab/seed.ts";
import type { System } from "../test/support/system.ts";
import { type ClientIdentity, type HubDoor, LinkClient, newStream } from "./bench/link-client.ts";

/** What the real collector of a node declares, once its slow sources have answered, and who that node is. */
async function declaredBy(system: System, node: string, duties: boolean) {
  const { lab } = system;
  const root = join(lab.dir, "nodes", node);
  const { clock } = lab;
  const api = createPveApi({ baseUrl: `http://127.0.0.1:${lab.apiPorts.get(node)}`, root, clock });
  const run = createRunCommand({ path: join(root, "bin") });
  const collector = createCollector({ root, api, run, clock, log: () => undefined });
  if (duties) collector.setDuties(["cluster", "shared-storage"]);
  const table = new SampleTable();
  const collect = async () => {
    table.begin();
    await collector.collect(table, clock.now());
  };
  await collect();
  await collector.check(); // has asked every source when it resolves
  lab.writeAll(); // a share of time needs two readings
  await collect();
  const self = await collector.identify();
  collector.close();
  api.close();
  if (self === undefined) throw new Error(`${node} does not know its own name`);
  return { schema: table.schema(), self };
}

async function seedNode(
  system: System,
  self: ClientIdentity,
  door: HubDoor,
  schema: Schema,
  from: number,
  to: number,
): Promise<number> {
  const client = await LinkClient.connect(door, self);
  let frames = 0;
  for (const record of seedFrames(system.lab.world, schema, { from, to })) {
    const head = parseRecordHead(record);
    if (!head.ok) throw new Error(head.problem);
    await client.send(head.value.seq, record);
    frames++;
  }
  await client.drained();
  client.close();
  return frames * schema.series.length;
}

/**
 * Gives a hub without history that of the last `historyMs`, through the link an agent uses and with the agents' own keys. A hub that has
 * samples already keeps the gap of the time it was off.
 */
export async function seedHistory(system: System, historyMs: number, say: (line: string) => void): Promise<void> {
  const { newestSampleAgeMs } = await system.get<{ newestSampleAgeMs: number | null }>("health");
  if (newestSampleAgeMs !== null) return;
  const startedAt = process.hrtime.bigint();
  const { lab } = system;
  const proven = join(lab.dir, "pmxcfs");
  const { url, fingerprint } = JSON.parse(readFileSync(join(proven, "proven/hub.json"), "utf8")) as {
    url: string;
    fingerprint: string;
  };
  const joinKey = Buffer.from(readFileSync(join(proven, "priv/proven/join.key"), "utf8").trim(), "base64");
  const to = lab.clock.now() as EpochMs;
  let samples = 0;
  const nodes = [...lab.apiPorts.keys()];
  for (const [index, node] of nodes.entries()) {
    const { schema, self } = await declaredBy(system, node, index === 0);
    const identity = loadIdentity(join(dirname(lab.agentConfig(node)), node));
    const client = { ...self, stream: newStream(), identity };
    samples += await seedNode(system, client, { url, fingerprint, joinKey }, schema, to - historyMs, to);
  }
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  say(`seeded ${historyMs / 86_400_000} days of history: ${(samples / 1e6).toFixed(1)} M samples in ${seconds.toFixed(1)} s`);
}
