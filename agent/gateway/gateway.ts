import type { ClusterId, NodeName } from "#protocol/ids.ts";
import type { HubFiles } from "../hub-place.ts";
import { findHub } from "../hub-place.ts";
import type { Identity } from "../identity.ts";
import type { Clock, Log } from "../ports.ts";
import { createUserApi } from "../pve/user-api.ts";
import { HubClient } from "./hub-client.ts";
import { Logins } from "./logins.ts";
import { Gateway, type GatewayConfig, type GatewayPorts } from "./server.ts";
import { Streams } from "./streams.ts";
import { Viewers } from "./viewers.ts";

export type GatewayParts = {
  gateway: Gateway;
  logins: Logins;
  close(): void;
};

/** Everything between browsers, this node's Proxmox VE and the hub. `self` is undefined until the node knows its name and cluster. */
export function createGateway(ports: {
  config: GatewayConfig;
  root: string;
  apiUrl: string;
  hubFiles: HubFiles;
  identity: Identity;
  clock: Clock;
  log: Log;
  self(): { node: NodeName; clusterId: ClusterId } | undefined;
  times?: GatewayPorts["times"];
}): GatewayParts {
  const { config, root, apiUrl, hubFiles, identity, clock, log, self, times = {} } = ports;
  const api = createUserApi(apiUrl);
  const viewers = new Viewers({ api, clock, cluster: () => self()?.clusterId });
  const hub = new HubClient({
    identity,
    now: () => clock.now(),
    self: () => {
      const known = self();
      return known === undefined ? undefined : { cluster: known.clusterId, node: known.node };
    },
    findHub: () => findHub(hubFiles),
  });
  const streams = new Streams({ clock, viewers, hub });
  return {
    gateway: new Gateway({ config, root, clock, log, viewers, hub, streams, times }),
    logins: new Logins({ api, viewers, clock }),
    close: () => {
      api.close();
      hub.close();
    },
  };
}
