import type { AlertView } from "#protocol/alerting.ts";
import { type ClusterId, clusterKey, type EntityKey } from "#protocol/ids.ts";
import type { ClusterPicture } from "./cluster.ts";
import { type Device, discoveryOf } from "./mqtt-discovery.ts";
import {
  alertDocument,
  clusterDocument,
  type FiringAlerts,
  firingByEntity,
  guestDocument,
  nodeDocument,
  type StateDocument,
  storageDocument,
} from "./mqtt-state.ts";
import { alertTopic, deviceId, discoveryTopic, stateTopic } from "./mqtt-topics.ts";
import { guestViews, nodeViews, type Sight, storageViews } from "./views.ts";

export type PictureOptions = {
  prefix: string;
  /** Undefined: no discovery. */
  discoveryPrefix: string | undefined;
  softwareVersion: string;
};

/** Retained payloads by topic: all that a broker should hold, discovery first. */
export type Retained = Map<string, string>;

type Described = { device: Device; state: StateDocument };

/** Devices and their states. `alerts` undefined: nobody judges rules yet, and no problem sensor says that all is well. */
export function entityPayloads(
  sight: Sight,
  pictures: readonly ClusterPicture[],
  alerts: readonly AlertView[] | undefined,
  options: PictureOptions,
): Retained {
  const firing = alerts === undefined ? undefined : firingByEntity(alerts);
  const described = pictures.flatMap((picture) => describe(sight, picture, firing));
  const { prefix, discoveryPrefix, softwareVersion } = options;
  const payloads: Retained = new Map();
  if (discoveryPrefix !== undefined) {
    for (const { device } of described) {
      const topic = discoveryTopic(discoveryPrefix, deviceId(device.cluster, device.entity, device.incarnation));
      payloads.set(topic, JSON.stringify(discoveryOf(device, prefix, softwareVersion)));
    }
  }
  for (const { device, state } of described) {
    payloads.set(stateTopic(prefix, device.cluster, device.entity), JSON.stringify(state));
  }
  return payloads;
}

/** What fires, one topic each, and what is over for as long as `keepMs`. */
export function alertPayloads(alerts: readonly AlertView[], prefix: string): Retained {
  const told = alerts.filter(({ state }) => state === "firing" || state === "resolved");
  return new Map(told.map((alert) => [alertTopic(prefix, alert.id), JSON.stringify(alertDocument(alert))]));
}

function describe(sight: Sight, picture: ClusterPicture, alerts: FiringAlerts): Described[] {
  const { cluster, name } = picture;
  const nodes = nodeViews(sight, picture);
  const guests = guestViews(sight, picture).filter(({ template }) => !template);
  const one = (entity: string, rest: Omit<Device, "cluster" | "entity" | "incarnation">, incarnation = 1): Device => ({
    cluster: cluster as ClusterId,
    entity: entity as EntityKey, // from a view, whose keys are the store's
    incarnation,
    ...rest,
  });
  return [
    {
      device: one(clusterKey, { kind: "cluster", name: `Cluster ${name}`, model: "Proxmox VE cluster" }),
      state: clusterDocument(picture, nodes, guests, alerts, sight.now),
    },
    ...nodes.map((node) => ({
      device: one(node.entity, {
        kind: "node",
        name: `Node ${node.node}`,
        model: "Proxmox VE node",
        version: node.pveVersion ?? undefined,
      }),
      state: nodeDocument(node, alerts),
    })),
    ...guests.map((guest) => {
      const model = guest.type === "qemu" ? "Virtual machine" : "Container";
      const title = `${guest.name} (${guest.type === "qemu" ? "VM" : "CT"} ${guest.vmid})`;
      return {
        device: one(guest.entity, { kind: "guest", name: title, model }, guest.incarnation),
        state: guestDocument(guest, alerts),
      };
    }),
    ...storageViews(sight, picture).map((storage) => {
      const title = storage.node === null ? storage.storage : `${storage.storage} on ${storage.node}`;
      return {
        device: one(storage.entity, { kind: "storage", name: `Storage ${title}`, model: `Storage (${storage.type})` }),
        state: storageDocument(storage, alerts),
      };
    }),
  ];
}
