import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "#protocol/addresses.ts";
import { type AddressClass, classifyAddress } from "../../../hub/core/ip-address.ts";
import { addressProblem, redirectProblem, urlProblem } from "../../../hub/core/outgoing-url.ts";
import { fc } from "../../support/property.ts";

const classes: [address: string, expected: AddressClass | undefined][] = [
  ["93.184.216.34", "public"],
  ["2606:2800:220:1::1", "public"],
  ["10.0.0.1", "private"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.1", "public"],
  ["192.168.1.1", "private"],
  ["100.64.0.1", "private"],
  ["fd12:3456::1", "private"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["::1", "loopback"],
  ["169.254.1.1", "link-local"],
  ["fe80::1", "link-local"],
  ["169.254.169.254", "metadata"],
  ["169.254.170.2", "metadata"],
  ["168.63.129.16", "metadata"],
  ["100.100.100.200", "metadata"],
  ["fd00:ec2::254", "metadata"],
  ["fd20:ce::254", "metadata"],
  ["0.0.0.0", "other"],
  ["::", "other"],
  ["224.0.0.1", "other"],
  ["255.255.255.255", "other"],
  ["ff02::1", "other"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:a9fe:a9fe", "metadata"],
  ["64:ff9b::10.0.0.1", "private"],
  ["2002:7f00:1::", "loopback"],
  ["::127.0.0.1", "other"],
  ["1.2.3", undefined],
  ["1.2.3.256", undefined],
  ["1::2::3", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["fe80::1%eth0", undefined],
  ["example.org", undefined],
];
for (const [text, expected] of classes) {
  test(`address ${text}: ${expected ?? "no address"}`, () => {
    const address = parseAddress(text);
    assert.equal(address === undefined ? undefined : classifyAddress(address), expected);
  });
}

test("parseAddress: every IPv6 address that a URL writes is read back to the same 16 bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const groups = Array.from({ length: 8 }, (_, index) =>
        (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
      );
      const short = new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
      assert.deepEqual(parseAddress(short), bytes);
    }),
  );
});

const strict = { allowPrivate: false, allowLoopback: false };
const open = { allowPrivate: true, allowLoopback: true };

test("outgoing: own networks and this machine are closed unless they are opened by name", () => {
  assert.equal(
    addressProblem("10.1.2.3", "https:", strict),
    "10.1.2.3 is in a private network: set allow_private = true if that is meant",
  );
  assert.equal(
    addressProblem("127.0.0.1", "https:", { ...strict, allowPrivate: true }),
    "127.0.0.1 is this machine: set allow_loopback = true if that is meant",
  );
  assert.equal(addressProblem("10.1.2.3", "http:", open), undefined);
  assert.equal(addressProblem("::1", "http:", open), undefined);
});

test("outgoing: metadata and link-local addresses stay closed whatever is opened", () => {
  assert.equal(addressProblem("169.254.169.254", "http:", open), "169.254.169.254 is a cloud's metadata service: never allowed");
  assert.equal(addressProblem("fe80::1", "https:", open), "fe80::1 is link-local: never allowed");
});

test("outgoing: to the internet only https goes", () => {
  assert.equal(addressProblem("93.184.216.34", "https:", strict), undefined);
  assert.equal(addressProblem("93.184.216.34", "http:", open), "93.184.216.34 is on the internet: only https may go there");
});

const urls: [url: string, problem: string | undefined][] = [
  ["https://vm.example.org/write", undefined],
  ["ftp://vm.example.org/", "ftp: is not http or https"],
  ["https://user:pass@vm.example.org/", "credentials don't belong in the URL: use the settings for them"],
  // What a URL makes of other spellings of 127.0.0.1.
  ["http://0x7f.1/", "127.0.0.1 is this machine: set allow_loopback = true if that is meant"],
  ["http://0177.0.0.1/", "127.0.0.1 is this machine: set allow_loopback = true if that is meant"],
  ["https://[::ffff:0:0]/", "::ffff:0:0 is not the address of a single machine"],
  ["http://2130706433/", "127.0.0.1 is this machine: set allow_loopback = true if that is meant"],
  ["https://[::ffff:169.254.169.254]/", "::ffff:a9fe:a9fe is a cloud's metadata service: never allowed"],
];
for (const [url, problem] of urls) {
  test(`outgoing: ${url} ${problem === undefined ? "is asked of the DNS" : "is refused at once"}`, () => {
    assert.equal(urlProblem(new URL(url), strict), problem);
  });
}

test("outgoing: a redirect may change the path, not the server", () => {
  const from = new URL("https://vm.example.org/a");
  assert.equal(redirectProblem(from, new URL("https://vm.example.org/b?c")), undefined);
  assert.equal(
    redirectProblem(from, new URL("https://other.example.org/a")),
    "redirected to https://other.example.org: another server is not followed",
  );
  assert.equal(
    redirectProblem(from, new URL("http://vm.example.org/a")),
    "redirected to http://vm.example.org: another server is not followed",
  );
});
