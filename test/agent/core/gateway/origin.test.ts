import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack, take } from "../../../../agent/core/gateway/bucket.ts";
import { hostName, originAllowed } from "../../../../agent/core/gateway/origin.ts";

const origins: [origin: string, host: string | undefined, pvePort: number, allowed: boolean][] = [
  ["https://pve1:8006", "pve1:8421", 8006, true],
  ["https://pve1:8421", "pve1:8421", 8006, true],
  ["https://[fd00::1]:8006", "[fd00::1]:8421", 8006, true],
  ["https://pve1", "pve1:8421", 443, true],
  ["https://pve1", "pve1:8421", 8006, false],
  ["https://pve1:8007", "pve1:8421", 8006, false],
  ["http://pve1:8006", "pve1:8421", 8006, false],
  ["https://pve1.evil.example:8006", "pve1:8421", 8006, false],
  ["https://pve2:8006", "pve1:8421", 8006, false],
  ["null", "pve1:8421", 8006, false],
  ["https://undefined:8006", undefined, 8006, false],
  ["https://a b", "a b", 8006, false],
];
for (const [origin, host, pvePort, allowed] of origins) {
  test(`a page of ${origin} ${allowed ? "may" : "may not"} use the gateway at ${host} beside pveproxy on ${pvePort}`, () => {
    assert.equal(originAllowed(origin, host, pvePort), allowed);
  });
}

test("a host is a name or an address with or without a port, as browsers send it", () => {
  const hosts = ["pve1", "PVE-1.example.org:8421", "192.0.2.1:8421", "[2001:db8::1]:8421"];
  assert.deepEqual(hosts.map(hostName), ["pve1", "PVE-1.example.org", "192.0.2.1", "[2001:db8::1]"]);
  for (const host of [undefined, "", "pve1:port", "-pve1", "pve1/", "user@pve1", "[::1", "pve1\n"])
    assert.equal(hostName(host), undefined);
});

test("so many at once, then so many a second: who comes too early hears how long to wait", () => {
  const bucket = { tokens: 2, at: 0 };
  const rate = { perSec: 0.5, burst: 2 };
  assert.deepEqual([take(bucket, rate, 0), take(bucket, rate, 0)], [{ ok: true }, { ok: true }]);
  assert.deepEqual(take(bucket, rate, 0), { ok: false, waitSec: 2 });
  assert.deepEqual(take(bucket, rate, 1_000), { ok: false, waitSec: 1 });
  assert.deepEqual(take(bucket, rate, 2_000), { ok: true });
  assert.deepEqual(take(bucket, rate, 2_000), { ok: false, waitSec: 2 });
});

test("a rest earns no more than the burst, and neither does what is given back", () => {
  const bucket = { tokens: 0, at: 0 };
  const rate = { perSec: 1, burst: 2 };
  assert.deepEqual(take(bucket, rate, 3_600_000), { ok: true });
  assert.equal(bucket.tokens, 1);
  giveBack(bucket, rate);
  giveBack(bucket, rate);
  assert.equal(bucket.tokens, 2);
});
