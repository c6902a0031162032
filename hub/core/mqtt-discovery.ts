import { type ClusterId, clusterKey, type EntityKey } from "#protocol/ids.ts";
import { deviceId, stateTopic, statusTopic } from "./mqtt-topics.ts";

/**
 * Device discovery of Home Assistant's MQTT integration: one retained document per device, `DEVICE_DISCOVERY_SCHEMA` in
 * `homeassistant/components/mqtt/schemas.py`. `state_topic` and `availability` stand once, for all components.
 */
export type Discovery = {
  device: {
    identifiers: string[];
    name: string;
    manufacturer: string;
    model: string;
    sw_version?: string;
    via_device?: string;
  };
  origin: { name: string; sw_version: string };
  components: Record<string, Component>;
  state_topic: string;
  availability: { topic: string }[];
  qos: 1;
};

export type Component = {
  platform: "sensor" | "binary_sensor";
  unique_id: string;
  name: string;
  value_template: string;
  device_class?: string;
  state_class?: "measurement";
  unit_of_measurement?: string;
  entity_category?: "diagnostic";
  options?: string[];
  availability?: { topic: string; value_template?: string }[];
  availability_mode?: "all";
  json_attributes_topic?: string;
  json_attributes_template?: string;
  icon?: string;
};

type Field = Omit<Component, "unique_id" | "value_template" | "platform">;
const share = (name: string, icon: string): Field => ({ name, icon, unit_of_measurement: "%", state_class: "measurement" });
const size = (name: string): Field => ({
  name,
  device_class: "data_size",
  unit_of_measurement: "GiB",
  state_class: "measurement",
});
const count = (name: string, icon: string): Field => ({ name, icon, state_class: "measurement" });
const states = (options: string[]): Field => ({ name: "State", device_class: "enum", options });
const cpu = share("CPU", "mdi:cpu-64-bit");
const memory = share("Memory", "mdi:memory");
const uptime: Field = { name: "Uptime", device_class: "duration", unit_of_measurement: "s", entity_category: "diagnostic" };

/** Sensors by kind of entity; names are fields of the state document. */
const sensors = {
  cluster: {
    state: states(["quorate", "no-quorum"]),
    nodes_online: count("Nodes online", "mdi:server-network"),
    guests_running: count("Guests running", "mdi:monitor-multiple"),
    alerts_firing: count("Alerts", "mdi:bell-alert"),
    alerts_critical: count("Critical alerts", "mdi:bell-ring"),
  },
  node: {
    state: states(["online", "offline"]),
    cpu,
    memory,
    disk: share("Root file system", "mdi:harddisk"),
    uptime,
    guests_running: count("Guests running", "mdi:monitor-multiple"),
  },
  guest: {
    state: states(["running", "stopped", "paused", "suspended", "prelaunch", "io-error", "other"]),
    node: { name: "Node", icon: "mdi:server", entity_category: "diagnostic" },
    cpu,
    memory,
    memory_used: size("Memory used"),
    disk: share("Disk", "mdi:harddisk"),
    uptime,
  },
  storage: {
    state: states(["available", "inactive", "disabled"]),
    usage: share("Usage", "mdi:database"),
    used: size("Used"),
    total: size("Size"),
  },
} satisfies Record<string, Record<string, Field>>;
export type DeviceKind = keyof typeof sensors;

export type Device = {
  kind: DeviceKind;
  cluster: ClusterId;
  entity: EntityKey;
  incarnation: number;
  /** What people call it: it may change, the identity does not. */
  name: string;
  model: string;
  version?: string | undefined;
};

/** A number that is null becomes `unknown`; a sensor with options takes only those, so it is `unavailable` while its state is not known. */
function whileKnown(field: string, topic: string, prefix: string): Pick<Component, "availability" | "availability_mode"> {
  const value_template = `{{ 'offline' if value_json.${field} is none else 'online' }}`;
  return { availability: [{ topic: statusTopic(prefix) }, { topic, value_template }], availability_mode: "all" };
}

/** All but the cluster hang on the cluster: a guest's node changes, and a device's way to the hub does not. */
export function discoveryOf(device: Device, prefix: string, softwareVersion: string): Discovery {
  const { kind, cluster, entity, incarnation, name, model, version } = device;
  const id = deviceId(cluster, entity, incarnation);
  const topic = stateTopic(prefix, cluster, entity);
  const fields: [string, Field][] = Object.entries(sensors[kind]);
  const components = fields.map(([field, rest]): [string, Component] => {
    const base = { unique_id: `${id}-${field}`, value_template: `{{ value_json.${field} }}` };
    return [
      field,
      { platform: "sensor", ...base, ...rest, ...(rest.device_class === "enum" && whileKnown(field, topic, prefix)) },
    ];
  });
  const problem: Component = {
    platform: "binary_sensor",
    unique_id: `${id}-problem`,
    name: "Problem",
    device_class: "problem",
    value_template: "{{ value_json.problem }}",
    json_attributes_topic: topic,
    json_attributes_template: "{{ {'alerts': value_json.alerts} | tojson }}",
  };
  return {
    device: {
      identifiers: [id],
      name,
      manufacturer: "Proven",
      model,
      ...(version !== undefined && { sw_version: version }),
      ...(kind !== "cluster" && { via_device: deviceId(cluster, clusterKey) }),
    },
    origin: { name: "Proven", sw_version: softwareVersion },
    components: { ...Object.fromEntries(components), problem },
    state_topic: topic,
    availability: [{ topic: statusTopic(prefix) }],
    qos: 1,
  };
}
