import { encodeFrame, encodeSchema, stateFor } from "#protocol/records.ts";
import { openSeries } from "../../hub/store/series.ts";
import { agentOf, day0, guest, ms, schemaOf, stream1 } from "./series-store.ts";

/**
 * A hub under load, to be killed: takes frames of one stream as fast as they become durable, compacts all the time, and prints how many
 * frames are acknowledged. Arguments: directory, number of frames that are there.
 */
const [dir = "", begin = "0"] = process.argv.slice(2);
let now = day0 + Number(begin) * 10_000;
const hub = openSeries({
  dir,
  now: () => ms(now),
  schedule: (_, callback) => {
    const timer = setImmediate(callback);
    return () => clearImmediate(timer);
  },
});
const schema = schemaOf([{ entity: { key: guest(100), identity: ["uuid:a"] }, metric: "cpu" }]);
const agent = agentOf("pve1");
const state = stateFor(schema);
const stream = hub.sink.open(agent, stream1);
let seq = hub.sink.lastSeq(agent, stream1);

function send(record: Uint8Array): Promise<number> {
  const taken = stream.accept(record, ms(now));
  if (!taken.ok) throw new Error(taken.problem);
  return taken.value.durable;
}

await send(encodeSchema(++seq, schema));
for (let i = Number(begin); ; ) {
  const batch: Promise<number>[] = [];
  for (let n = 0; n < 40; n++, i++) {
    now = day0 + i * 10_000;
    batch.push(send(encodeFrame(++seq, ms(now), i % 30 === 0 || n === 0, Float64Array.of(i), state)));
  }
  await Promise.all([...batch, hub.maintain(ms(now))]);
  process.stdout.write(`${i}\n`);
}
