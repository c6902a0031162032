import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import { Facts } from "../../../agent/facts.ts";
import type { HubPlace } from "../../../agent/hub-place.ts";
import { connectHub } from "../../../agent/hub-socket.ts";
import { loadIdentity, makeNextKey, rawPublicKey } from "../../../agent/identity.ts";
import { Link } from "../../../agent/link.ts";
import { SpoolFiles } from "../../../agent/spool-files.ts";
import { SpoolStore } from "../../../agent/spool-store.ts";
import { parseConfig } from "../../../hub/config.ts";
import { startHub } from "../../../hub/hub.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { loadCertificate } from "../../../hub/tls.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeSeries } from "../../support/fake-series.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { inventoryOf } from "../../support/test-hub.ts";

const node = "pve" as NodeName;
const lone = { node, clusterId: "00000000000000aa" as ClusterId };
const cluster = { node, clusterId: "00000000000000bb" as ClusterId, clusterName: "home" };
const member = { node: "pve", nodeId: 1, online: true, ip: "192.0.2.1" };

test("the agent of a lone node comes as its cluster's by itself when one is made of it, into its own history, and changes its key there", async (t) => {
  const [dir, stateDir] = [temporaryDir(t), temporaryDir(t)];
  const clock = new FakeClock(Date.now());
  const joinKey = randomBytes(32);
  writeFileSync(join(dir, "join.key"), joinKey.toString("base64"));
  const state = StateStore.open({ dir, now: () => clock.now() });
  const certificate = await loadCertificate(dir, clock.now());
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"`);
  const hub = await startHub({ config, clock, series: new FakeSeries(), state, certificate, log: () => undefined });
  const { fingerprint } = certificate;
  const url = `wss://127.0.0.1:${hub.port}/agent`;
  const place: HubPlace = { url, fingerprint, from: "hub.json", proof: { kind: "key", key: joinKey } };
  const facts = new Facts();
  const { name: _, ...unnamed } = inventoryOf().cluster;
  const inventory = { ...inventoryOf(), cluster: { ...unnamed, members: [member] } };
  facts.inventory = { version: 1, inventory };
  let self: typeof lone | typeof cluster = lone;
  let joined: string | undefined;
  const identity = loadIdentity(stateDir);
  const log = () => undefined;
  const link = new Link({
    ...{ clock, log, identity, facts, random: () => 0 },
    store: new SpoolStore(SpoolFiles.open(join(stateDir, "spool"), log), log),
    identify: async () => self,
    setDuties: () => undefined,
    hearAlerts: () => undefined,
    tellOutlet: async () => [],
    answerHub: async () => undefined,
    findHub: () => ({ ok: true, place }),
    readJoined: () => joined,
    writeJoined: (known) => (joined = known),
    writePins: () => undefined,
    connect: (to, signal) => connectHub(to.url, [to.fingerprint], signal),
  });
  const stop = new AbortController();
  const running = link.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
    await hub.stop();
  });
  const until = async (so: () => boolean) => {
    while (!so()) await clock.advance(100);
  };
  const id = `${lone.clusterId}/pve`;
  await until(() => state.get("inventory", id) !== undefined);
  self = cluster;
  facts.onInventory({ ...inventory, cluster: { ...inventory.cluster, name: "home" } });
  await until(() => state.get("agent", id)?.clusterName === "home" && link.awayMs() === 0);
  assert.deepEqual(
    state.list("agent").map((one) => one.id),
    [id],
  );
  const next = rawPublicKey(makeNextKey(stateDir));
  await until(() => state.get("agent", id)?.publicKey === next);
});
