import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { isLoopback, parseAddress, placeOf, plainAddress } from "#protocol/addresses.ts";

const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
const written = (parts: readonly number[]) => parts.map((part) => part.toString(16)).join(":");
/** The same address, with its longest run of zeros left out, in capitals. */
const short = (parts: readonly number[]) => new URL(`http://[${written(parts)}]/`).hostname.slice(1, -1).toUpperCase();

test("what is parsed as an address of IPv6 is what Node takes for one", () => {
  const broken = fc.constantFrom("1::2::3", ":1:", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::1.2.3", "1.2.3.4::");
  const text = fc.oneof(fc.ipV6(), groups.map(short), broken, fc.constantFrom("::", "::1", "::1.2.3.4"));
  fc.assert(fc.property(text, (address) => assert.equal(parseAddress(address)?.length, isIP(address) === 6 ? 16 : undefined)));
});

test("what is parsed as an address of IPv4 is its four bytes", () => {
  fc.assert(fc.property(fc.ipV4(), (address) => assert.equal(parseAddress(address)?.join("."), address)));
  assert.deepEqual(["1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d", ""].map(parseAddress), Array(5).fill(undefined));
});

test("a place does not depend on how its address is written, nor on which of its network's addresses it is", () => {
  fc.assert(
    fc.property(groups, groups, (parts, others) => {
      assert.equal(placeOf(written(parts)), placeOf(short(parts)));
      assert.equal(placeOf(written(parts)), placeOf(`${short(parts)}%vmbr0`));
      const network = [0x2001, ...parts.slice(1, 4)];
      assert.equal(placeOf(written([...network, ...parts.slice(4)])), placeOf(written([...network, ...others.slice(4)])));
    }),
  );
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      assert.equal(placeOf(`::ffff:${address}`), placeOf(address));
      assert.equal(plainAddress(`::FFFF:${address}`), address);
    }),
  );
});

test("two IPv4 addresses are two places, and so are two networks of IPv6 and two neighbours on a link", () => {
  assert.deepEqual(["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207", "unknown"].map(placeOf), [
    "192.0.2.7",
    "192.0.2.7",
    "192.0.2.7",
    "unknown",
  ]);
  const count = (...addresses: string[]) => new Set(addresses.map(placeOf)).size;
  assert.equal(count("192.0.2.1", "192.0.2.2"), 2);
  assert.equal(count("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1", "2001:db8::1"), 3);
  assert.equal(count("fe80::1%eth0", "fe80::2%eth0", "fe80::2%eth1"), 2);
});

test("the machine itself is known by each of its own addresses, and nobody else by them", () => {
  const own = ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"];
  assert.deepEqual(own.map(isLoopback), Array(own.length).fill(true));
  assert.deepEqual(["128.0.0.1", "::2", "::", "::127.0.0.1", "localhost", ""].map(isLoopback), Array(6).fill(false));
});
