import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import type { ClusterId, EntityKey, EpochMs } from "#protocol/ids.ts";
import type { ClusterPicture } from "../../../hub/core/cluster.ts";
import { type DeviceKind, discoveryOf } from "../../../hub/core/mqtt-discovery.ts";
import { clusterDocument, nodeDocument } from "../../../hub/core/mqtt-state.ts";
import { alertTopic, deviceId } from "../../../hub/core/mqtt-topics.ts";
import { fc } from "../../support/property.ts";
import { testPicture } from "../../support/test-cluster.ts";

/**
 * Home Assistant's own schemas: DEVICE_DISCOVERY_SCHEMA of homeassistant/components/mqtt/schemas.py, and of its components the keys that are
 * documented for sensor.mqtt and binary_sensor.mqtt. Its device and origin schemas refuse other keys.
 */
const availability = z.array(
  z.strictObject({
    topic: z.string(),
    payload_available: z.string().optional(),
    payload_not_available: z.string().optional(),
    value_template: z.string().optional(),
  }),
);
const entity = {
  unique_id: z.string(),
  name: z.string(),
  value_template: z.string().optional(),
  availability: availability.optional(),
  availability_mode: z.enum(["all", "any", "latest"]).optional(),
  entity_category: z.enum(["config", "diagnostic"]).optional(),
  icon: z.string().regex(/^mdi:/).optional(),
  json_attributes_topic: z.string().optional(),
  json_attributes_template: z.string().optional(),
};
const sensor = z
  .strictObject({
    platform: z.literal("sensor"),
    ...entity,
    device_class: z.enum(["enum", "data_size", "duration"]).optional(),
    state_class: z.enum(["measurement", "total", "total_increasing"]).optional(),
    unit_of_measurement: z.enum(["%", "GiB", "s"]).optional(),
    options: z.array(z.string()).min(1).optional(),
  })
  // homeassistant/components/mqtt/sensor.py: options need the class enum, and neither unit nor state class.
  .refine((one) => (one.options !== undefined) === (one.device_class === "enum"))
  .refine((one) => one.options === undefined || (one.state_class === undefined && one.unit_of_measurement === undefined));
const binarySensor = z.strictObject({ platform: z.literal("binary_sensor"), ...entity, device_class: z.literal("problem") });
const discovery = z.strictObject({
  device: z.strictObject({
    identifiers: z.array(z.string()).min(1),
    name: z.string(),
    manufacturer: z.string(),
    model: z.string(),
    sw_version: z.string().optional(),
    via_device: z.string().optional(),
  }),
  origin: z.strictObject({ name: z.string().min(1), sw_version: z.string().optional(), support_url: z.url().optional() }),
  components: z.record(z.string(), z.discriminatedUnion("platform", [sensor, binarySensor])),
  state_topic: z.string(),
  availability,
  qos: z.literal([0, 1, 2]),
});

const cluster = "00000000000000aa" as ClusterId;
const devices: [DeviceKind, string][] = [
  ["cluster", "cluster"],
  ["node", "node/pve1"],
  ["guest", "guest/100"],
  ["storage", "storage/pve1/local-lvm"],
];

for (const [kind, key] of devices) {
  test(`the discovery of a ${kind} has Home Assistant's keys and no others`, () => {
    const device = { kind, cluster, entity: key as EntityKey, incarnation: 1, name: "x", model: "y" };
    const payload = discoveryOf(device, "proven", "0.1.0");
    discovery.parse(payload);
    assert.deepEqual(payload.availability, [{ topic: "proven/status" }]);
    assert.equal(payload.device.via_device, kind === "cluster" ? undefined : "proven-00000000000000aa-cluster");
    const problem = payload.components.problem;
    assert.deepEqual([problem?.platform, problem?.device_class], ["binary_sensor", "problem"]);
    const ids = Object.values(payload.components).map(({ unique_id }) => unique_id);
    assert.equal(new Set(ids).size, ids.length);
  });
}

test("a guest's device is its vmid and incarnation, wherever it runs", () => {
  assert.equal(deviceId(cluster, "guest/100" as EntityKey), "proven-00000000000000aa-guest__100");
  assert.equal(deviceId(cluster, "guest/100" as EntityKey, 2), "proven-00000000000000aa-guest__100__2");
});

test("two entities never share a device, and its id is one that Home Assistant takes", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,6}$/);
  const key = fc.oneof(
    name.map((one) => `storage/${one}`),
    fc.tuple(name, name).map(([node, one]) => `storage/${node}/${one}`),
  );
  fc.assert(
    fc.property(key, key, (a, b) => {
      const ids = [a, b].map((one) => deviceId(cluster, one as EntityKey));
      assert.equal(ids[0] === ids[1], a === b);
      for (const id of ids) assert.match(id, /^[a-zA-Z0-9_-]+$/);
    }),
  );
});

test("an alert's topic is one level, and its id can be read from it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (instance) => {
      const id = `disk@aa/guest/100#1!${instance}`;
      const topic = alertTopic("proven", id);
      assert.match(topic, /^proven\/alerts\/[^/+#]+$/);
      assert.equal(decodeURIComponent(topic.slice("proven/alerts/".length)), id);
    }),
  );
});

test("a value that is stale or was never known is null, a problem nobody can judge is neither on nor off", () => {
  const absent = { state: "absent", value: null, at: null } as const;
  const stale = { state: "stale", value: 0.5, at: 1 } as const;
  const document = nodeDocument(
    {
      ...{
        cluster,
        node: "pve1",
        entity: "node/pve1",
        state: "unknown",
        pveVersion: null,
        kernel: null,
        cpuModel: null,
        timezone: null,
        ip: null,
      },
      agent: { state: "away", software: null, connectedAt: null, lastSeenAt: null, clockSkewMs: null, duties: [], sources: [] },
      guests: { total: 2, running: 1, unknown: 1 },
      zpools: [],
      ...{ cpu: stale, cpus: absent, memUsed: stale, memTotal: stale, rootUsed: absent, rootTotal: absent, uptime: stale },
    },
    new Map(),
  );
  const nothing = { state: null, cpu: null, memory: null, disk: null, uptime: null, guests_running: null, problem: null };
  assert.deepEqual(document, { ...nothing, alerts: [] });
});

test("a cluster says whether it is quorate by what its members tell, and nothing where none was heard", () => {
  const at = 1_000_000 as EpochMs;
  const told = (quorate: boolean) => {
    const picture = testPicture({ name: "lab", at, nodes: { pve1: [] } });
    for (const { inventory } of picture.agents.values()) if (inventory) inventory.inventory.cluster.quorate = quorate;
    return picture;
  };
  const state = (picture: ClusterPicture) => clusterDocument(picture, [], [], undefined, at).state;
  assert.equal(state(told(true)), "quorate");
  assert.equal(state(told(false)), "no-quorum");
  assert.equal(state({ ...told(true), agents: new Map() }), null);
});
