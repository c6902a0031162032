import type { TestContext } from "node:test";
import { guestKey, type NodeName, nodeKey, type Vmid } from "#protocol/ids.ts";
import { createApp } from "../../hub/http/app.ts";
import { alertOf, ruleOf } from "./alert-views.ts";
import { FakeAlerting } from "./fake-alerting.ts";
import { TestGateway } from "./pve-users.ts";
import { clusterA, connect, inventoryOf, testHub } from "./test-hub.ts";

const by = { actor: "test", reason: "test" };
/** Stands in everything about guest 101 and about what only auditors see. */
const secretGuest = "hidden-payroll";
const secretNode = "hidden-node-fact";

export const alertId = (entity: string, rule = "busy") => `${rule}@${clusterA}/${entity}#1`;

/**
 * A hub with two guests (100 everybody's, 101 secret), samples, alerts, events, tasks and settings about them and their node; a gateway of
 * node pve1 in front of it.
 */
export function seenHub(t: TestContext) {
  const hub = testHub(t);
  const alerting = new FakeAlerting(hub.state);
  const agents = ["pve1", "pve2", "pve3"].map((node) => connect(hub, node));
  const [agent] = agents;
  if (agent === undefined) throw new Error("no agent");
  const now = hub.clock.now();
  const guests = [
    { vmid: 100, name: "web", pool: "prod", tags: ["web"] },
    { vmid: 101, name: secretGuest, pool: "hidden-pool", tags: ["hidden-tag"] },
  ];
  const storage = { storage: "local-zfs", type: "zfspool", shared: false, content: ["images"], enabled: true, nodes: [] };
  const hardware = { serial: secretNode, board: { serial: secretNode }, firmware: {}, cpu: {}, missing: "smbios" as const };
  const facts = { pveVersion: secretNode, kernel: secretNode, cpuModel: secretNode, hardware };
  const node = { zpools: ["hidden-zpool"], sources: [], ...facts };
  hub.fleet.inventory(agent, inventoryOf({ guests, storages: [storage], node }));
  for (const [index, vmid] of [100, 101].entries()) {
    hub.series.put(agent, guestKey(vmid as Vmid), "status", now, 1);
    hub.series.put(agent, guestKey(vmid as Vmid), "cpu", now - 5_000, 0.25 + index / 4);
  }
  hub.series.put(agent, nodeKey("pve1" as NodeName), "cpu", now, 0.5);
  hub.watch.tick();
  alerting.alerts = [
    alertOf({ rule: "busy" }),
    alertOf({ rule: "busy", entity: "guest/101", title: `${secretGuest} (VM 101)`, text: `${secretGuest} is busy` }),
    alertOf({
      rule: "busy",
      entity: "node/pve1",
      title: "pve1",
      text: secretNode,
      affected: [`${secretGuest} (VM 101)`, "web (VM 100)"],
    }),
  ];
  alerting.automatic = [
    {
      id: `backup-lock@${clusterA} guest/101`,
      kind: "backup-lock",
      since: now,
      until: hub.clock.now(),
      text: `${secretGuest} is locked by a backup`,
    },
  ];
  settings(hub, now);
  history(hub, agent);
  const app = createApp({ ...hub.httpPorts, alerting });
  const gateway = new TestGateway({ app, state: hub.state, now: () => hub.clock.now() });
  return { hub, alerting, app, agent, gateway, now };
}
export type SeenHub = ReturnType<typeof seenHub>;

function settings({ state }: ReturnType<typeof testHub>, now: number): void {
  state.put("rule", "busy", { ...ruleOf(), name: "hidden-rule" }, by);
  const silence = { rules: [], startsAt: now, endsAt: now + 3_600_000, createdBy: "me", kind: "silence" as const, scope: null };
  state.put("silence", "of-web", { ...silence, id: "of-web", alerts: [alertId("guest/100")], comment: "" }, by);
  state.put("silence", "of-payroll", { ...silence, id: "of-payroll", alerts: [alertId("guest/101")], comment: secretGuest }, by);
  const scope = { pools: ["hidden-pool"] };
  state.put("silence", "broad", { ...silence, id: "broad", alerts: [], scope, comment: "hidden-scope" }, by);
  const window = { enabled: true, scope, recurrence: null, adjusted: null, comment: "" };
  const once = { startsAt: now - 1000, endsAt: now + 3_600_000 };
  state.put("window", "patch", { ...window, id: "patch", name: "hidden-window", once }, by);
}

function history({ journal, tasks }: ReturnType<typeof testHub>, agent: ReturnType<typeof connect>): void {
  const place = { cluster: clusterA, node: "pve1" };
  for (const [vmid, guest] of [
    [100, "VM 100 (web)"],
    [101, `VM 101 (${secretGuest})`],
  ] as const) {
    journal.emit("guest.started", { guest, node: "pve1" }, { ...place, entity: `guest/${vmid}` });
  }
  journal.emit("storage.inactive", { storage: "hidden-storage" }, { ...place, entity: "storage/pve1/local-zfs" });
  const notice = { title: `vzdump of ${secretGuest}`, message: secretGuest, severity: "info", kind: "vzdump", fields: {} };
  journal.emit("pve.notice", notice, place);
  journal.emit("login.failed", { address: "hidden-address" });
  const upid = (id: string, user: string, pid: string) => `UPID:pve1:${pid}:0000ABCD:6B03A039:qmstart:${id}:${user}:`;
  const ended = { endedAt: 1_795_399_738_000, status: "OK" };
  tasks.report(
    agent,
    [
      { upid: upid("100", "root@pam", "00000001"), ...ended },
      { upid: upid("101", "root@pam", "00000002"), ...ended },
      { upid: upid("100", "bob@pve", "00000003"), ...ended },
    ],
    false,
  );
}
