import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vmid } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import { encodeMessage, parseMessageText } from "#protocol/messages.ts";
import { linkVersions } from "#protocol/version.ts";
import { fitInventory } from "../../../agent/core/inventory-size.ts";

const hour = 3_600_000;

/** Guests whose snapshots are an hour apart, the oldest first. */
function inventoryOf(guests: number, snapshots: number, packages = 0): Inventory {
  const update = { package: "pve-manager", available: "9.2.12" };
  return {
    at: 0,
    cluster: { name: "lab", quorate: true, members: [] },
    node: { zpools: [], sources: [], updates: { total: packages, packages: Array.from({ length: packages }, () => update) } },
    guests: Array.from({ length: guests }, (_, index) => ({
      vmid: (100 + index) as Vmid,
      type: "qemu" as const,
      name: `guest-${index}-ü`,
      identity: [],
      template: false,
      tags: [],
      onboot: true,
      configured: true,
      snapshots: Array.from({ length: snapshots }, (_, number) => ({ name: `autodaily-${number}`, at: number * hour })),
    })),
    storages: [],
  };
}

const bytesOf = (inventory: Inventory) => Buffer.byteLength(encodeMessage("inventory", inventory));

test("an inventory that fits stays as it is", () => {
  const inventory = inventoryOf(100, 50);
  assert.equal(fitInventory(inventory, limits.messageMaxBytes - 1024), inventory);
});

test("a node with 100,000 snapshots still says what it has: each guest keeps its oldest and its newest ones, and how many there are", () => {
  const whole = inventoryOf(200, 500);
  assert.ok(bytesOf(whole) > 3 * limits.messageMaxBytes);
  const fitting = fitInventory(whole, limits.messageMaxBytes - 1024);
  assert.ok(bytesOf(fitting) <= limits.messageMaxBytes);
  assert.ok(bytesOf(fitting) > 0.9 * limits.messageMaxBytes, "no more is left out than must be");
  assert.ok(parseMessageText(encodeMessage("inventory", fitting), "agent", linkVersions.max).ok);
  for (const { snapshots = [], snapshotsLeftOut = 0 } of fitting.guests) {
    assert.equal(snapshots.length + snapshotsLeftOut, 500);
    assert.equal(snapshots[0]?.at, 0);
    assert.equal(snapshots.at(-1)?.at, 499 * hour);
  }
});

test("where snapshots are not what makes it long, packages give way, and their number stays", () => {
  const fitting = fitInventory(inventoryOf(10, 1, 200), 4000);
  assert.deepEqual(fitting.node.updates, { total: 200, packages: [] });
  assert.equal(fitting.guests.length, 10);
});

test("at last what is known of the machine gives way, and only where the message would not fit with it", () => {
  const inventory = inventoryOf(10, 1);
  const hardware = { board: {}, firmware: {}, cpu: { model: "x".repeat(100) }, missing: "smbios" as const };
  const whole = { ...inventory, node: { ...inventory.node, hardware } };
  const withoutBytes = bytesOf(inventory);
  assert.deepEqual(fitInventory(whole, withoutBytes + 1000).node.hardware, hardware);
  const fitting = fitInventory(whole, withoutBytes + 20);
  assert.equal(fitting.node.hardware, undefined);
  assert.equal(fitting.guests.length, 10);
});
