import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readJoinKey, rotateJoinKey, setup } from "../../hub/cli/setup.ts";
import { ConfigError, parseConfig } from "../../hub/config.ts";
import { formatLine } from "../../hub/log.ts";
import { loadCertificate } from "../../hub/tls.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("an empty configuration is complete", () => {
  const { panel, ...rest } = parseConfig("");
  assert.deepEqual(rest, {
    listen: "::",
    port: 8420,
    state: "/var/lib/proven-hub",
    join: { pmxcfs: "/etc/pve" },
    metrics: {},
  });
  assert.match(panel, /\/panel$/);
});

test("a password in the address of the MQTT broker, which is logged, is refused with where it belongs", () => {
  const mqtt = (url: string) => parseConfig(`[mqtt]\nurl = "${url}"\n`);
  for (const url of ["mqtts://hub:secret@broker:8883", "mqtt://hub@broker", "MQTT://hub:a%40b@broker/"])
    assert.throws(() => mqtt(url), /^Error: hub\.toml: mqtt\.url: credentials don't belong in the URL.*password_file$/s);
  assert.equal(mqtt("mqtts://broker:8883").mqtt?.url, "mqtts://broker:8883");
});

test("all wrong keys are told at once, unknown ones with the nearest known", () => {
  const text = 'prot = 1\nport = 99999\nlisten = "everywhere"\nstate = "relative"\n[join]\npmxfs = "/etc/pve"\n';
  assert.throws(
    () => parseConfig(text, "hub.toml"),
    (error) => {
      assert.ok(error instanceof ConfigError);
      const lines = error.message.split("\n");
      assert.equal(lines.length, 5);
      for (const start of ["port: ", "listen: ", "state: "])
        assert.ok(lines.some((line) => line.startsWith(`hub.toml: ${start}`)));
      assert.ok(lines.includes("hub.toml: unknown key prot: did you mean port?"));
      assert.ok(lines.includes("hub.toml: unknown key join.pmxfs: did you mean pmxcfs?"));
      return true;
    },
  );
  assert.throws(() => parseConfig("port = ", "hub.toml"), ConfigError);
});

test("the certificate is made once, is for ten years and this host, and only its owner reads the key", async (t) => {
  const dir = temporaryDir(t);
  const now = Date.UTC(2026, 0, 5);
  const first = await loadCertificate(dir, now);
  assert.deepEqual(await loadCertificate(dir, now), first);
  assert.match(first.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.equal(statSync(join(dir, "tls.pem")).mode & 0o777, 0o600);
  const certificate = new X509Certificate(first.cert);
  assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
  assert.equal(certificate.checkHost("localhost"), "localhost");
  assert.equal(new Date(certificate.validTo).getUTCFullYear(), 2036);
});

test("a damaged certificate file is refused, not replaced", async (t) => {
  const dir = temporaryDir(t);
  writeFileSync(join(dir, "tls.pem"), "rubbish");
  await assert.rejects(loadCertificate(dir, 0), /holds no certificate and key/);
  assert.equal(readFileSync(join(dir, "tls.pem"), "utf8"), "rubbish");
});

test("setup writes what agents need; run again it changes nothing, and a join key stays", (t) => {
  const stateDir = temporaryDir(t);
  const pmxcfs = temporaryDir(t);
  const options = { pmxcfs, stateDir, url: "wss://pve1:8420/agent", fingerprint: "AA:BB" };
  setup(options);
  assert.deepEqual(JSON.parse(readFileSync(join(pmxcfs, "proven/hub.json"), "utf8")), {
    url: "wss://pve1:8420/agent",
    fingerprint: "AA:BB",
  });
  const keyFile = join(pmxcfs, "priv/proven/join.key");
  const key = readFileSync(keyFile, "utf8");
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  assert.equal(Buffer.from(key, "base64").length, 32);
  assert.deepEqual(readJoinKey(stateDir), Buffer.from(key, "base64"));

  assert.ok(setup(options).every((line) => line.endsWith(": unchanged")));
  setup({ ...options, fingerprint: "CC:DD" });
  assert.equal(readFileSync(keyFile, "utf8"), key);
});

test("a rotated join key is another one, for the cluster's agents and the hub alike; without setup there is none to rotate", (t) => {
  const stateDir = temporaryDir(t);
  const pmxcfs = temporaryDir(t);
  assert.throws(() => rotateJoinKey({ pmxcfs, stateDir }), /run proven-hub setup first/);
  setup({ pmxcfs, stateDir, url: "wss://pve1:8420/agent", fingerprint: "AA:BB" });
  const old = readJoinKey(stateDir);
  assert.ok(rotateJoinKey({ pmxcfs, stateDir }).every((line) => line.endsWith(": written")));
  const fresh = readJoinKey(stateDir);
  assert.notDeepEqual(fresh, old);
  assert.deepEqual(fresh, Buffer.from(readFileSync(join(pmxcfs, "priv/proven/join.key"), "utf8"), "base64"));
});

test("setup refuses a machine that is no Proxmox VE node, and a join key that is none", (t) => {
  const stateDir = temporaryDir(t);
  const pmxcfs = temporaryDir(t);
  const options = { pmxcfs: join(pmxcfs, "absent"), stateDir, url: "wss://x/agent", fingerprint: "AA" };
  assert.throws(() => setup(options), /token create/);
  mkdirSync(join(pmxcfs, "priv/proven"), { recursive: true });
  writeFileSync(join(pmxcfs, "priv/proven/join.key"), "short");
  assert.throws(() => setup({ ...options, pmxcfs }), /holds no join key/);
  assert.equal(readJoinKey(stateDir), undefined);
});

test("a line of the log can't be forged by what it holds", () => {
  assert.equal(
    formatLine("agent\nsays", { node: "pve1", text: 'a "b"\n<3>c', absent: undefined }),
    'agent says node=pve1 text="a \\"b\\" <3>c"',
  );
  assert.equal(
    formatLine("web\u001b[2J\u009b31m\r<0>gone\u202egnp.exe", { name: "a\u2066b" }),
    'web [2J 31m <0>gone gnp.exe name="a b"',
  );
});
