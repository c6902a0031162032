import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeHostKey, knownHostLine, knownTypes, parseHostKey, parseKnownHosts } from "../../../hub/deploy/known-hosts.ts";
import { fc } from "../../support/property.ts";

/** Made by ssh-keygen; its fingerprint and the hashed lines (`ssh-keygen -H`) are what that printed. */
const key = "AAAAC3NzaC1lZDI1NTE5AAAAIMOMn3XvrzF3g+NVn8t3aKWb1yv5sgjGkF7DpAai3Xoz";
const other = "AAAAC3NzaC1lZDI1NTE5AAAAINvmWJyrQlBX3WJOpZCo6vX6AzQ0K6i5cUCXtVbPcqNj";
const hashed = [
  `|1|Sz3I9lUfoYeOHbGFef+YG/Xua14=|m7/Lw+xUAw+Iaftox3PjUsKoGrI= ssh-ed25519 ${key}`,
  `|1|H6oQdnjGBdrNRrJtbbQxzkbwByg=|BlX5U/r7/8hEw09njtQvCedc6JA= ssh-ed25519 ${key}`,
];
const shown = (base64: string) => parseHostKey(Buffer.from(base64, "base64")) ?? assert.fail("no key");
const judge = (text: string, host: string, port: number, base64 = key) =>
  judgeHostKey(parseKnownHosts(text, "known_hosts"), host, port, shown(base64));

test("a host key's fingerprint is the one that ssh-keygen -l prints", () => {
  assert.equal(shown(key).fingerprint, "SHA256:Vrl9EwHeHTVZX20BTn7ph1Pqb/By0oXjCOo/U7umCTc");
  assert.equal(shown(key).type, "ssh-ed25519");
  assert.equal(parseHostKey(Buffer.from("0000", "hex")), undefined);
  assert.equal(parseHostKey(Buffer.from("ffffffff00", "hex")), undefined);
});

test("names that ssh-keygen hashed are found, with and without a port", () => {
  assert.equal(judge(hashed[0] ?? "", "Node.Example", 22).is, "known");
  assert.equal(judge(hashed[1] ?? "", "node.example", 2222).is, "known");
  assert.equal(judge(hashed[1] ?? "", "node.example", 2223).is, "unknown");
  assert.equal(judge(hashed[0] ?? "", "node.example", 22, other).is, "changed");
});

const cases: [name: string, text: string, host: string, port: number, is: string][] = [
  ["a plain name", `pve1,192.0.2.1 ssh-ed25519 ${key}`, "192.0.2.1", 22, "known"],
  ["another key of it", `pve1 ssh-ed25519 ${other}`, "pve1", 22, "changed"],
  ["a key of another type only", `pve1 ssh-rsa ${other}`, "pve1", 22, "changed"],
  ["its key in the second line", `pve1 ssh-ed25519 ${other}\npve1 ssh-ed25519 ${key}`, "pve1", 22, "known"],
  ["a pattern", `*.example ssh-ed25519 ${key}`, "pve1.example", 22, "known"],
  ["a pattern that leaves it out", `*.example,!pve1.example ssh-ed25519 ${key}`, "pve1.example", 22, "unknown"],
  ["its line without the port", `pve1 ssh-ed25519 ${key}`, "pve1", 2222, "known"],
  ["another key in the line without the port", `pve1 ssh-ed25519 ${other}`, "pve1", 2222, "unknown"],
  ["a revoked key", `pve1 ssh-ed25519 ${key}\n@revoked * ssh-ed25519 ${key}`, "pve1", 22, "revoked"],
  ["an authority, which we don't judge by", `@cert-authority * ssh-ed25519 ${other}`, "pve1", 22, "unknown"],
  ["comments and rubbish", `# pve1\n\npve1\npve1 ssh-ed25519`, "pve1", 22, "unknown"],
];
for (const [name, text, host, port, is] of cases) {
  test(`known_hosts with ${name}: ${is}`, () => assert.equal(judge(text, host, port).is, is));
}

test("the changed key's line is named, and the types on record are asked for first", () => {
  const known = parseKnownHosts(`# mine\npve1 ssh-rsa ${other}\npve2 ssh-ed25519 ${key}`, "/root/.ssh/known_hosts");
  const verdict = judgeHostKey(known, "pve1", 22, shown(key));
  assert.deepEqual(verdict.is === "changed" && [verdict.by.file, verdict.by.line], ["/root/.ssh/known_hosts", 2]);
  assert.deepEqual(knownTypes(known, "pve1", 22), ["ssh-rsa"]);
});

test("a line that we write is hashed, and found again for its host and port and no other", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
  const port = fc.integer({ min: 23, max: 65_535 });
  fc.assert(
    fc.property(name, port, name, port, (host, at, otherHost, otherPort) => {
      const line = knownHostLine(host, at, shown(key));
      assert.ok(!line.includes(host) || host.length < 3);
      assert.equal(judge(line, host, at).is, "known");
      if (otherHost !== host || otherPort !== at) assert.equal(judge(line, otherHost, otherPort).is, "unknown");
    }),
    { numRuns: 50 },
  );
});

test("a pattern with many stars takes no longer than another", () => {
  assert.equal(judge(`${"*a".repeat(2000)}b ssh-ed25519 ${key}`, "a".repeat(250), 22).is, "unknown");
});
