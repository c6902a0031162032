import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeName } from "#protocol/ids.ts";
import { createPveApi } from "../../../agent/pve/api.ts";
import { CephSource } from "../../../agent/sources/ceph.ts";
import { parseCephMonitors } from "../../../agent/sources/cluster-config.ts";
import { ClusterFiles } from "../../../agent/sources/cluster-files.ts";
import { type ConnectPbs, PbsSource } from "../../../agent/sources/pbs.ts";
import { parsePbsStorages } from "../../../agent/sources/pbs-config.ts";
import type { NodeSight } from "../../../agent/sources/slow-source.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const noApi = createPveApi({ baseUrl: "http://127.0.0.1:1", root: "/nowhere", clock: new FakeClock() });

test("Ceph is asked on a node with a monitor, as the others have nothing to ask it with", () => {
  const conf =
    "[global]\n\tfsid = 1\n\n[client]\n\tkeyring = x\n\n[mon.pve3]\n\tpublic_addr = 10.0.0.3\n[mon.pve2]\n\tpublic_addr = 10.0.0.2\n";
  const members = ["pve1", "pve2", "pve3"].map((node) => ({ node: node as NodeName, nodeId: 1, online: true }));
  const asks = (node: string, text: string | undefined, duty: boolean, quorate = true) => {
    const cephMonitors = text === undefined ? undefined : parseCephMonitors(text);
    const files = Object.assign(new ClusterFiles(async () => ({ ok: false, code: "ENOENT" })), { cephMonitors });
    const who = { node: node as NodeName, quorate, members };
    const duties: NodeSight["duties"] = new Set(duty ? ["cluster"] : []);
    const sight = { node: who.node, guests: new Map(), files, duties, members: who, lookedMs: 0, isRunning: () => false };
    return new CephSource(noApi).everyMs(sight) !== undefined;
  };
  const whoAsks = (text: string | undefined, duty: string, quorate = true) =>
    ["pve1", "pve2", "pve3"].filter((node) => asks(node, text, node === duty, quorate));
  assert.deepEqual(whoAsks(conf, "pve1"), ["pve2"]);
  assert.deepEqual(whoAsks(conf, "pve3", false), ["pve3"], "without quorum who has the duty");
  assert.deepEqual(whoAsks(conf.replaceAll("mon.pve", "mon.m"), "pve1"), ["pve1"]);
  assert.deepEqual(whoAsks(undefined, "pve1"), []);
});

test("a Backup Server whose storages are for some nodes is asked from one of them, each datastore by one agent", async () => {
  const place = (id: string, server: string, nodes: string) =>
    `pbs: ${id}\n\tserver ${server}\n\tdatastore main\n\tusername m@pbs!t\n${nodes === "" ? "" : `\tnodes ${nodes}\n`}`;
  const pbs = parsePbsStorages(
    place("all", "10.0.0.1", "") +
      place("a1", "10.0.0.2", "pve2") +
      place("b1", "10.0.0.2", "pve3") +
      place("c1", "10.0.0.3", "pve3"),
  );
  const members = ["pve1", "pve2", "pve3"].map((node) => ({ node: node as NodeName, nodeId: 1, online: true }));
  const askedBy = async (node: string, duties: NodeSight["duties"]) => {
    const asked = new Set<string>();
    const fail = async () => ({ ok: false, status: 0, problem: "ECONNREFUSED" }) as const;
    const connect: ConnectPbs = ({ server }) => {
      asked.add(server);
      return { get: fail, post: fail, each: fail };
    };
    const source = new PbsSource(async () => ({ ok: true, text: "secret" }), new FakeClock(), connect);
    const files = Object.assign(new ClusterFiles(async () => ({ ok: false, code: "ENOENT" })), { pbs });
    const who = { node: node as NodeName, quorate: true, members };
    const sight = { node: who.node, guests: new Map(), files, duties, members: who, lookedMs: 0, isRunning: () => false };
    if (source.everyMs(sight) !== undefined) await source.refresh(sight);
    return [...asked];
  };
  assert.deepEqual(await askedBy("pve1", new Set(["shared-storage"])), ["10.0.0.1"]);
  assert.deepEqual(await askedBy("pve2", new Set()), ["10.0.0.2"]);
  assert.deepEqual(await askedBy("pve3", new Set()), ["10.0.0.3"]);
});
