import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runAgent } from "../../agent/agent.ts";
import { storeJoin } from "../../agent/hub-place.ts";
import { loadIdentity } from "../../agent/identity.ts";
import { createOutlet } from "../../agent/outlet.ts";
import { SpoolFiles } from "../../agent/spool-files.ts";
import { SpoolStore } from "../../agent/spool-store.ts";
import { parseConfig } from "../../hub/config.ts";
import { createJoinToken } from "../../hub/keys.ts";
import { systemClock } from "../../hub/ports.ts";
import { StateStore } from "../../hub/store/state.ts";
import { loadCertificate } from "../../hub/tls.ts";
import { Daemon } from "../support/daemon.ts";
import { freePort } from "../support/debian-peer.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { FakeCollector } from "../support/fake-collector.ts";
import { Broker, mosquitto, Observer } from "../support/mosquitto.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx");

test("kill -9 of the hub: the broker says that it is offline, the agent raises it, and both take it back", {
  skip: mosquitto.problem ?? false,
}, async (t) => {
  const dir = temporaryDir(t);
  const broker = await Broker.start(join(dir, "broker"));
  t.after(() => broker.stop());
  const observer = await Observer.connect(broker);
  t.after(() => observer.close());
  const port = await freePort();
  const config = `listen = "127.0.0.1"\nport = ${port}\nstate = "${dir}/hub"\n[mqtt]\nurl = "${broker.url}"\n`;
  writeFileSync(join(dir, "hub.toml"), config);
  assert.equal(await joinToken(config, join(dir, "agent"), port), undefined);

  const hub = new Daemon({
    name: "hub",
    args: ["--import", tsx, join(root, "hub/main.ts"), "--config", join(dir, "hub.toml")],
    logFile: join(dir, "hub.log"),
    ready: /ready: /,
  });
  t.after(() => hub.stop("SIGKILL"));
  await hub.start();
  await observer.until(() => observer.topics.get("proven/status") === "online");

  const clock = new FakeClock(Date.now());
  const told: string[] = [];
  const log = (level: number, message: string) => void told.push(`${level} ${message}`);
  const alerts = () => told.filter((line) => line.includes(" alert "));
  const store = new SpoolStore(SpoolFiles.open(join(dir, "agent/spool"), log), log);
  const switches = { journal: true, hooks: false, mail: false };
  const run = async () => ({ ok: false, problem: "not here" }) as const;
  const outlet = createOutlet({ switches, root: dir, stateDir: join(dir, "agent"), run, clock, log });
  const service = { ready: async () => undefined, alive: async () => undefined, stopping: async () => undefined };
  const hubFiles = { root: dir, stateDir: join(dir, "agent"), configured: undefined };
  const stop = new AbortController();
  const collector = new FakeCollector(clock);
  const ports = { clock, log, random: () => 0.5, collector, store, service, hubFiles, outlet, gateway: undefined };
  const agent = runAgent({ ...ports, identity: loadIdentity(join(dir, "agent")), hubUnreachableMs: 300_000 }, stop.signal);
  t.after(async () => {
    stop.abort();
    await until(clock, () => false, { ended: agent });
  });
  await until(clock, () => told.some((line) => line.includes("joined the hub")));

  await hub.stop("SIGKILL");
  await observer.until(() => observer.topics.get("proven/status") === "offline");
  await until(clock, () => alerts().length === 1, { stepMs: 5000 });
  assert.match(alerts()[0] ?? "", /^3 alert CRITICAL: Proven hub: hub unreachable for 5 min from pve1/);

  await hub.start();
  await observer.until(() => observer.topics.get("proven/status") === "online");
  await until(clock, () => alerts().length === 2);
  assert.match(alerts()[1] ?? "", /^5 alert RESOLVED after \d+ min: Proven hub/);
});

/** Gives the agent's directory a token of the hub that has not started yet. Returns what was wrong with it. */
async function joinToken(text: string, stateDir: string, port: number): Promise<string | undefined> {
  const { state: dir } = parseConfig(text);
  mkdirSync(dir, { recursive: true });
  mkdirSync(stateDir, { recursive: true });
  const state = StateStore.open({ dir, now: systemClock.now });
  const { token } = createJoinToken(state, 60, { actor: "test", reason: "test" }, systemClock.now());
  await state.close();
  const { fingerprint } = await loadCertificate(dir, systemClock.now());
  return storeJoin(stateDir, { url: `wss://127.0.0.1:${port}/agent`, token, fingerprint });
}

/** Lets the agent's time pass, `stepMs` per turn of real sockets, until `holds` or `ended`. */
async function until(
  clock: FakeClock,
  holds: () => boolean,
  { stepMs = 100, ended }: { stepMs?: number; ended?: Promise<unknown> } = {},
): Promise<void> {
  let isOver = false;
  void ended?.then(() => {
    isOver = true;
  });
  while (!holds() && !isOver) {
    await clock.advance(stepMs);
    await settle(50);
  }
}
