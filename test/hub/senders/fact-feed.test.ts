import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Row } from "../../../hub/core/prometheus-series.ts";
import { FactFeed } from "../../../hub/senders/remote-write/feed.ts";

const row = (id: string, value: number): Row => ({
  family: { name: "pve_up", help: "Up", type: "gauge" },
  labels: [["id", id]],
  value,
});

function feed() {
  const facts = new FactFeed(({ labels }) => new TextEncoder().encode(labels.map(([, value]) => value).join()));
  const text = (labels: Uint8Array) => new TextDecoder().decode(labels);
  return (at: number, ...rows: Row[]) => {
    const said: string[] = [];
    facts.take(rows, at as EpochMs, {
      add: (labels, value, time) => said.push(`${text(labels)}=${value}@${time}`),
      end: (labels, time) => said.push(`${text(labels)} ends@${time}`),
    });
    return said;
  };
}

test("facts are told at each look, and one that is gone is ended after its last time", () => {
  const take = feed();
  assert.deepEqual(take(1000, row("node/pve1", 1), row("qemu/100", 0)), ["node/pve1=1@1000", "qemu/100=0@1000"]);
  assert.deepEqual(take(2000, row("node/pve1", 1)), ["node/pve1=1@2000", "qemu/100 ends@1000"]);
  assert.deepEqual(take(3000, row("node/pve1", 1)), ["node/pve1=1@3000"]);
});

test("while the hub's clock is behind where it was, nothing is told or ended that a receiver would refuse", () => {
  const take = feed();
  take(10_000, row("node/pve1", 1), row("qemu/100", 1));
  assert.deepEqual(take(5000, row("node/pve1", 0), row("qemu/100", 1)), []);
  assert.deepEqual(take(8000, row("node/pve1", 0), row("qemu/101", 1)), ["qemu/101=1@8000", "qemu/100 ends@10000"]);
  assert.deepEqual(take(10_000, row("node/pve1", 0), row("qemu/101", 1)), ["qemu/101=1@10000"]);
  assert.deepEqual(take(11_000, row("node/pve1", 0), row("qemu/101", 1)), ["node/pve1=0@11000", "qemu/101=1@11000"]);
});
