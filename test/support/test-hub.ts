import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Scope } from "#protocol/api.ts";
import type { ClusterId, NodeName, Vmid } from "#protocol/ids.ts";
import type { GuestFacts, Inventory } from "#protocol/inventory.ts";
import { linkVersions } from "#protocol/version.ts";
import { type Assembly, assembleHub, type HubParts } from "../../hub/assembly.ts";
import { parseConfig } from "../../hub/config.ts";
import type { AgentId } from "../../hub/core/series.ts";
import { createKey } from "../../hub/keys.ts";
import { StateStore } from "../../hub/store/state.ts";
import type { HubCertificate } from "../../hub/tls.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeSeries } from "./fake-series.ts";
import { temporaryDir } from "./temporary-dir.ts";

export const clusterA = "00000000000000aa" as ClusterId;
export const agentOf = (node: string, cluster = clusterA): AgentId => ({ cluster, node: node as NodeName });

const noCertificate: HubCertificate = { cert: "", key: "", fingerprint: Array(32).fill("AB").join(":") };

export type TestHub = Assembly &
  HubParts & { clock: FakeClock; series: FakeSeries; lines: string[]; newKey(...scopes: Scope[]): string };

/** A wired hub on a real state store in a temporary directory, with a fake clock and series store; nothing listens. */
export function testHub(t: TestContext, options: { certificate?: HubCertificate } = {}): TestHub {
  const dir = temporaryDir(t);
  const clock = new FakeClock();
  const series = new FakeSeries();
  const state = StateStore.open({ dir, now: () => clock.now() });
  t.after(() => state.close());
  const lines: string[] = [];
  const config = parseConfig(`listen = "127.0.0.1"\nport = 0\nstate = "${dir}"\npanel = "${join(dir, "panel")}"`);
  const parts = {
    config,
    clock,
    series,
    state,
    certificate: options.certificate ?? noCertificate,
    log: (_: number, line: string) => lines.push(line),
  };
  const newKey = (...scopes: Scope[]) =>
    createKey(state, { name: scopes.join("+"), scopes, expiresInDays: 1 }, { actor: "test", reason: "test" }, clock.now()).key;
  return { ...parts, ...assembleHub(parts), lines, newKey };
}

/** What an agent of a three-node cluster says; `guests` are running virtual machines. */
export function inventoryOf(
  overrides: Partial<Omit<Inventory, "guests">> & { guests?: (Partial<Omit<GuestFacts, "vmid">> & { vmid: number })[] } = {},
): Inventory {
  const { guests = [], ...rest } = overrides;
  const members = ["pve1", "pve2", "pve3"].map((node, index) => ({
    node,
    nodeId: index + 1,
    online: true,
    ip: `192.0.2.${index + 1}`,
  }));
  return {
    at: 0,
    cluster: { name: "lab", quorate: true, members },
    node: { zpools: [], sources: [] },
    storages: [],
    ...rest,
    guests: guests.map(({ vmid, ...guest }) => ({
      vmid: vmid as Vmid,
      type: "qemu",
      identity: [],
      template: false,
      tags: [],
      onboot: false,
      configured: true,
      unprotected: [],
      ...guest,
    })),
  };
}

/** A session opened as far as the fleet is concerned. */
export function connect(hub: Pick<TestHub, "fleet">, node: string, skewMs = 0): AgentId {
  const agent = agentOf(node);
  const session = { agent, clusterName: "lab", software: "proven-agent/0.1.0", version: linkVersions.max };
  hub.fleet.opened({ ...session, skewMs, joinedBy: undefined });
  return agent;
}
