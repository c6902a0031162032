import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { EpochMs } from "#protocol/ids.ts";
import { guestKey, type Vmid } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { Context } from "../context.ts";
import { HubProcess } from "../hub-process.ts";
import { quantile, type Row, valueRow } from "../row.ts";
import { configure, guestRule } from "../rules.ts";
import { HubSink } from "../sinks.ts";
import { guestMetrics, seriesPerGuest, vmidOf, Workload } from "../workload.ts";

const guests = 100;
const forMs = 3000;
/** No whole number of any period in the hub, so that samples meet it at all phases. */
const everyMs = 370;
const patienceMs = 15_000;
const pressureIndex = guestMetrics.indexOf("psi_io_some");

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** When each entity's first alert arrived, wall ms. */
async function openReceiver(onEnd: Context["onEnd"]): Promise<{ url: string; arrivedAt: Map<string, number> }> {
  const arrivedAt = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const at = performance.now();
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { data: { notification: Notification } };
    for (const { entity } of body.data.notification.alerts) if (!arrivedAt.has(entity)) arrivedAt.set(entity, at);
    response.end("ok");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onEnd(async () => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, arrivedAt };
}

/** One guest after the other crosses the trigger of a rule with a hold; how long after the hold does its message reach the receiver? */
export async function alertDelays({ scratch, onEnd, say }: Context): Promise<Row[]> {
  const hub = new HubProcess(join(scratch, "alert-delays"));
  onEnd(() => hub.kill());
  await hub.start();
  await hub.stop();
  const { url, arrivedAt } = await openReceiver(onEnd);
  await configure(hub, [guestRule("bench-pressure", "psi_io_some", 50, 40, forMs / 1000)], url);
  await hub.start();
  const workload = new Workload(guests);
  const sink = await HubSink.connect(hub.door(), workload);
  say(`alerts: ${guests} guests cross a trigger, one after the other`);
  const write = () => sink.write(Date.now() as EpochMs, guests);
  // The hub follows new entities every half minute.
  for (let waited = 0; waited < 40; waited++) {
    await write();
    await sleep(1000);
  }
  const sentAt = new Map<string, number>();
  for (let guest = 0; guest < guests; guest++) {
    workload.scaled[guest * seriesPerGuest + pressureIndex] = 9000;
    sentAt.set(guestKey(vmidOf(guest) as Vmid), performance.now());
    await write();
    await sleep(everyMs);
  }
  const until = performance.now() + patienceMs;
  while (arrivedAt.size < guests && performance.now() < until) await sleep(100);
  sink.close();
  await hub.kill();
  const beyond = [...sentAt].flatMap(([entity, at]) => {
    const arrived = arrivedAt.get(entity);
    return arrived === undefined ? [] : [arrived - at - forMs];
  });
  return [
    valueRow("alerts, sample → message at a webhook, beyond the hold: p95", "ms", quantile(beyond, 0.95), 1000),
    valueRow("alerts, sample → message at a webhook, beyond the hold: median", "ms", quantile(beyond, 0.5)),
    valueRow(`alerts, sample → message at a webhook: of ${guests} never arrived`, "messages", guests - beyond.length, 0),
  ];
}
