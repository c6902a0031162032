import assert from "node:assert/strict";
import { test } from "node:test";
import { settable } from "../../../agent/sandbox/network.ts";

test("a node whose kernel was booted without IPv6 has sandboxes, too: what it lacks is not asked of it", () => {
  const settings = ["net.ipv6.conf.pvt1.disable_ipv6=1", "net.ipv4.conf.pvt1.arp_ignore=8"];
  assert.deepEqual(settable(settings, false), ["net.ipv4.conf.pvt1.arp_ignore=8"]);
  assert.deepEqual(settable(settings, true), settings);
});
