import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { EventView } from "#protocol/api.ts";
import { guestKey, nodeKey, type Vmid } from "#protocol/ids.ts";
import { type MqttConfig, mqttConfig } from "../../../hub/mqtt/config.ts";
import { MqttService } from "../../../hub/mqtt/mqtt.ts";
import { type Clock, systemClock } from "../../../hub/ports.ts";
import { alertOf } from "../../support/alert-views.ts";
import { FakeAlerts } from "../../support/fake-alert-feed.ts";
import { Broker, type BrokerOptions, mosquitto, Observer } from "../../support/mosquitto.ts";
import { connect, inventoryOf, testHub } from "../../support/test-hub.ts";

const skip = mosquitto.problem ?? false;
const guest = "proven/00000000000000aa/guest/100/state";
const config100 = "homeassistant/device/proven-00000000000000aa-guest__100/config";
const alertTopic = "proven/alerts/guest-cpu%4000000000000000aa%2Fguest%2F100%231";

type Options = { broker?: BrokerOptions; config?: Partial<MqttConfig>; clock?: Clock; alerts?: FakeAlerts };

/** A hub with a node and a guest, and a broker with a listener. */
async function setUp(t: TestContext, options: Options = {}) {
  const hub = testHub(t);
  const dir = hub.config.state;
  const broker = await Broker.start(join(dir, "broker"), options.broker);
  t.after(() => broker.stop());
  const agent = connect(hub, "pve1");
  const tell = (vmid: number, node = agent, name = "web") => hub.fleet.inventory(node, inventoryOf({ guests: [{ vmid, name }] }));
  tell(100);
  const sample = (cpu: number) => {
    const now = hub.clock.now();
    hub.series.put(agent, nodeKey(agent.node), "cpu", now, 0.25);
    hub.series.put(agent, guestKey(100 as Vmid), "status", now, 1);
    hub.series.put(agent, guestKey(100 as Vmid), "cpu", now, cpu);
  };
  sample(0.5);
  const alerts = options.alerts ?? new FakeAlerts();
  let emit: (event: EventView) => void = () => undefined;
  const logged: string[] = [];
  const start = (config: Partial<MqttConfig> = {}, clock: Clock = options.clock ?? hub.clock) => {
    const service = new MqttService(mqttConfig.parse({ url: broker.url, ...options.config, ...config }), {
      clock: {
        ...clock,
        now: () => hub.clock.now(),
        monotonicMs: () => clock.monotonicMs(),
        sleep: (ms, signal) => clock.sleep(ms, signal),
      },
      log: (_, line) => void logged.push(line),
      random: () => 0,
      stateDir: dir,
      reader: hub.series.reader,
      live: hub.series.live,
      pictures: () => hub.fleet.pictures(),
      alerts: alerts.relay,
      onEvent: (listener) => {
        emit = listener;
        return () => undefined;
      },
    });
    t.after(() => service.stop());
    return service;
  };
  const observe = async (login: Parameters<typeof Observer.connect>[1] = {}) => {
    const observer = await Observer.connect(broker, login);
    t.after(() => observer.close());
    return observer;
  };
  return { hub, broker, agent, alerts, start, observe, sample, tell, logged, dir, emit: (event: EventView) => emit(event) };
}

test("a guest's state is retained, what is not known is null, and the hub says that it is online", { skip }, async (t) => {
  const { start, observe, alerts } = await setUp(t);
  alerts.attach();
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has(guest) && observer.topics.has("proven/status"));
  assert.equal(observer.topics.get("proven/status"), "online");
  assert.deepEqual(observer.json(guest), {
    state: "running",
    node: "pve1",
    cpu: 50,
    memory: null,
    memory_used: null,
    disk: null,
    uptime: null,
    problem: "OFF",
    alerts: [],
  });
});

test("while nobody judges rules no problem sensor says that all is well", { skip }, async (t) => {
  const { start, observe } = await setUp(t);
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has(guest));
  assert.equal(observer.json(guest).problem, null);
});

test("only what changed is published, every ten seconds; a silent node's values become null", { skip }, async (t) => {
  const { hub, start, observe, sample } = await setUp(t);
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has("proven/status") && observer.topics.has(guest));
  const before = observer.heard.length;
  sample(0.5001);
  await hub.clock.advance(10_000);
  sample(0.75);
  await hub.clock.advance(9_000);
  assert.deepEqual(observer.heard.slice(before), []);
  await hub.clock.advance(1_000);
  await observer.until(() => observer.json(guest).cpu === 75);
  await hub.clock.advance(60_000);
  await observer.until(() => observer.json(guest).state === null);
  assert.deepEqual(
    [observer.json(guest).cpu, observer.json("proven/00000000000000aa/node/pve1/state").cpu, observer.json(guest).problem],
    [null, null, null],
  );
});

test("an alert has its topic while it fires, says that it is over, and is cleared after its time", { skip }, async (t) => {
  const { hub, start, observe, alerts } = await setUp(t, { config: { keep_resolved_min: 5 } });
  alerts.attach();
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has(guest));
  alerts.change(alertOf());
  await observer.until(() => observer.topics.has(alertTopic));
  assert.equal(observer.json(alertTopic).text, "web (VM 100) uses 97 % of its CPU");
  await hub.clock.advance(10_000);
  await observer.until(() => observer.json(guest).problem === "ON");
  assert.deepEqual(observer.json(guest).alerts, ["web (VM 100) uses 97 % of its CPU"]);
  alerts.change(alertOf({ state: "resolved", resolvedAt: 9_000 }));
  await observer.until(() => observer.json(alertTopic).state === "resolved");
  await hub.clock.advance(300_000);
  await observer.until(() => !observer.topics.has(alertTopic));
});

test("a hub that was away clears the alerts that ended meanwhile", { skip }, async (t) => {
  const { start, observe, alerts } = await setUp(t, { alerts: new FakeAlerts(alertOf()) });
  alerts.attach();
  const observer = await observe();
  const first = start();
  await observer.until(() => observer.topics.has(alertTopic));
  await first.stop();
  assert.equal(observer.topics.get("proven/status"), "offline");
  alerts.change(alertOf({ state: "inactive" }));
  start();
  await observer.until(() => !observer.topics.has(alertTopic) && observer.topics.get("proven/status") === "online");
});

test("events are a stream, and those of an outage follow", { skip }, async (t) => {
  const { start, observe, broker, emit } = await setUp(t, { clock: systemClock });
  start();
  const event = { at: 1, cluster: null, type: "guest.stopped", severity: "info", entity: null, node: null, actor: null } as const;
  const first = await observe();
  await first.until(() => first.topics.has("proven/status"));
  emit({ ...event, id: 1, text: "one" });
  await first.until(() => first.topics.has("proven/events/guest.stopped"));
  assert.equal(first.heard.at(-1)?.retained, false);
  await broker.stop();
  emit({ ...event, id: 2, text: "two" });
  await broker.restart();
  const second = await observe();
  await second.until(() => second.topics.has("proven/events/guest.stopped"));
  assert.equal(second.json("proven/events/guest.stopped").id, 2);
});

test("a broker that comes back empty has everything again", { skip }, async (t) => {
  const { start, observe, broker } = await setUp(t, { clock: systemClock });
  start();
  const first = await observe();
  await first.until(() => first.topics.has(guest) && first.topics.has(config100));
  const before = new Map(first.topics);
  await broker.restart();
  const second = await observe();
  await second.until(() => second.topics.size === before.size);
  assert.deepEqual(new Map([...second.topics].sort()), new Map([...before].sort()));
});

test("when Home Assistant was started it is told everything once more", { skip }, async (t) => {
  const { start, observe } = await setUp(t);
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has(guest) && observer.topics.has("proven/status"));
  const times = () => observer.heard.filter(({ topic }) => topic === config100).length;
  const before = times();
  await observer.client.publishAsync("homeassistant/status", "online");
  await observer.until(() => times() > before);
});

for (const version of ["3.1.1", "5"] as const) {
  test(`TLS with an authority of its own, a password and a client certificate, MQTT ${version}`, { skip }, async (t) => {
    const user = { name: "proven", password: "right" };
    const { start, dir } = await setUp(t, { broker: { tls: true, user, clientCertificates: true } });
    writeFileSync(join(dir, "password"), "right\n");
    const files = { ca_file: "ca.pem", cert_file: "client.pem", key_file: "client.key" };
    const paths = Object.fromEntries(Object.entries(files).map(([key, file]) => [key, join(dir, "broker", file)]));
    const service = start({ version, username: "proven", password_file: join(dir, "password"), ...paths });
    await until(() => service.problem === undefined && service.isConnected);
  });
}

for (const version of ["3.1.1", "5"] as const) {
  test(`an access list that denies discovery holds up no states and no alerts (MQTT ${version})`, { skip }, async (t) => {
    const { start, observe, logged } = await setUp(t, { broker: { deny: "homeassistant/device/#" } });
    const service = start({ version });
    const observer = await observe();
    await observer.until(() => observer.topics.has(guest) && observer.topics.has("proven/status"));
    assert.equal(service.isConnected, true);
    // Only MQTT 5 has a way to say no to a publication.
    const said = version === "5" ? /^the MQTT broker refuses homeassistant\/device\/.*: see its access list$/ : /^$/;
    assert.match(service.problem ?? "", said);
    assert.equal(logged.filter((line) => line.includes("refuses")).length, version === "5" ? 1 : 0);
  });
}

const refusals: [name: string, broker: BrokerOptions, config: (dir: string) => Partial<MqttConfig>, said: RegExp][] = [
  [
    "a wrong password",
    { user: { name: "proven", password: "right" } },
    (dir) => ({ username: "proven", password_file: join(dir, "password") }),
    /it refuses the user or the password: see username and password_file/,
  ],
  ["an authority nobody named", { tls: true }, () => ({}), /its certificate comes from an unknown authority: name it in ca_file/],
];
for (const [name, broker, config, said] of refusals) {
  for (const version of ["3.1.1", "5"] as const) {
    test(`${name} is told once, in words, and tried again ever more slowly (MQTT ${version})`, { skip }, async (t) => {
      const { start, dir, logged, hub } = await setUp(t, { broker });
      writeFileSync(join(dir, "password"), "wrong\n");
      const service = start({ version, ...config(dir) });
      await until(() => service.attempts === 1);
      for (let attempt = 2; attempt <= 5; attempt++) {
        await hub.clock.advance(500 * 2 ** (attempt - 2) - 1);
        assert.equal(service.attempts, attempt - 1);
        await hub.clock.advance(1);
        await until(() => service.attempts === attempt);
      }
      assert.equal(logged.length, 1);
      assert.match(logged[0] ?? "", said);
      assert.match(service.problem ?? "", said);
    });
  }
}

test("a guest that moves keeps its device; a name that changes changes it in place", { skip }, async (t) => {
  const { hub, start, observe, tell } = await setUp(t);
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has(config100) && observer.topics.has(guest));
  const before = observer.json(config100);
  const other = connect(hub, "pve2");
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  tell(100, other, "web2");
  await hub.clock.advance(10_000);
  await observer.until(() => observer.json(guest).node === "pve2");
  const after = observer.json(config100);
  assert.deepEqual(after, { ...before, device: { ...(before.device as object), name: "web2 (VM 100)" } });
});

test("a guest that is gone for ten minutes is taken out", { skip }, async (t) => {
  const { hub, start, observe } = await setUp(t);
  start();
  const observer = await observe();
  await observer.until(() => observer.topics.has(config100) && observer.topics.has(guest));
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  await hub.clock.advance(60_000);
  hub.fleet.stepVanished();
  await hub.clock.advance(590_000);
  assert.equal(observer.topics.has(config100), true);
  await hub.clock.advance(30_000);
  await observer.until(() => !observer.topics.has(config100) && !observer.topics.has(guest));
  const noted = () => readFileSync(join(hub.config.state, "mqtt-topics.json"), "utf8");
  await until(() => !noted().includes(guest) && !noted().includes(config100));
});

/** Real sockets take turns of the event loop: waits for them without the fake clock. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
