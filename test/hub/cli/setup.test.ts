import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, type NetworkInterfaceInfo } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { renewCertificate, settleCertificate, showCertificate } from "../../../hub/cli/certificate-commands.ts";
import { examine } from "../../../hub/cli/doctor.ts";
import { defaultUrl, keptUrl, outerAddresses, readTold, setup } from "../../../hub/cli/setup.ts";
import { parseConfig } from "../../../hub/config.ts";
import { openServiceManager } from "../../../hub/notify.ts";
import { loadCertificate, readNextCertificate, switchCertificate } from "../../../hub/tls.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const now = Date.now();

function folders(t: TestContext) {
  const dir = temporaryDir(t);
  const [pmxcfs, stateDir] = [join(dir, "pve"), join(dir, "state")];
  mkdirSync(pmxcfs);
  const config = parseConfig(`state = "${stateDir}"\nport = 1\n[join]\npmxcfs = "${pmxcfs}"\n`);
  return { pmxcfs, stateDir, config };
}

test("agents are sent to the address that the cluster itself uses for this node", (t) => {
  const { pmxcfs } = folders(t);
  assert.equal(defaultUrl(pmxcfs, 8420), `wss://${hostname()}:8420/agent`);
  const members = (ip: string) =>
    JSON.stringify({ nodename: "a", nodelist: { a: { id: 1, online: 1, ip }, b: { id: 2, online: 0 } } });
  writeFileSync(join(pmxcfs, ".members"), members("10.1.2.3"));
  assert.equal(defaultUrl(pmxcfs, 8420), "wss://10.1.2.3:8420/agent");
  writeFileSync(join(pmxcfs, ".members"), members("fd00::1"));
  assert.equal(defaultUrl(pmxcfs, 8420), "wss://[fd00::1]:8420/agent");
  writeFileSync(join(pmxcfs, ".members"), JSON.stringify({ nodename: "a", version: 1 }));
  assert.equal(defaultUrl(pmxcfs, 8420), `wss://${hostname()}:8420/agent`);
});

test("nodes elsewhere are told addresses, the cluster's own first, and no name that they may not know", (t) => {
  const { pmxcfs } = folders(t);
  const at = (address: string, family: "IPv4" | "IPv6", internal = false) =>
    ({ address, family, internal, netmask: "", mac: "", cidr: null, scopeid: 0 }) as NetworkInterfaceInfo;
  const all = {
    lo: [at("127.0.0.1", "IPv4", true), at("::1", "IPv6", true)],
    vmbr0: [at("fe80::1", "IPv6"), at("2001:db8::1", "IPv6"), at("192.0.2.1", "IPv4")],
    vmbr1: [at("10.0.0.1", "IPv4")],
  };
  assert.deepEqual(outerAddresses(pmxcfs, all), ["192.0.2.1", "10.0.0.1", "2001:db8::1"]);
  writeFileSync(
    join(pmxcfs, ".members"),
    JSON.stringify({ nodename: "a", nodelist: { a: { id: 1, online: 1, ip: "10.0.0.1" } } }),
  );
  assert.deepEqual(outerAddresses(pmxcfs, all), ["10.0.0.1", "192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(outerAddresses(pmxcfs, {}), ["10.0.0.1"]);
});

test("a package's upgrade moves no agent: an address that was given stays, and so does another hub; what was this machine's hub is followed", (t) => {
  const { pmxcfs } = folders(t);
  const own = { fingerprint: "AA:BB", url: "wss://10.0.0.1:8420/agent", byName: "wss://pve1:8420/agent" };
  const kept = (url: string, fingerprint: string, next?: string) => keptUrl({ url, fingerprint, next }, own);
  assert.equal(keptUrl(readTold(pmxcfs), own), own.url, "the first hub of a cluster");
  assert.equal(kept("wss://hub.example:443/agent", "aa:bb"), "wss://hub.example:443/agent");
  assert.equal(kept("wss://hub.example:443/agent", "EE:FF", "AA:BB"), "wss://hub.example:443/agent");
  assert.equal(kept(own.url, "EE:FF"), own.url, "purged and installed anew");
  assert.equal(kept("wss://10.0.0.2:8420/agent", "EE:FF"), undefined);
  assert.equal(kept(own.byName, "AA:BB"), own.url, "a node by itself became a cluster's");
  mkdirSync(join(pmxcfs, "proven"));
  writeFileSync(join(pmxcfs, "proven/hub.json"), '{"url":');
  assert.equal(keptUrl(readTold(pmxcfs), own), own.url, "what can't be read sends nobody anywhere");
});

test("where nothing can be written, as in /etc/pve without quorum, setup says what to look at and leaves no key of its own", (t) => {
  const { stateDir } = folders(t);
  const told = { url: "wss://pve1:8420/agent", fingerprint: "AA" };
  assert.throws(
    () => setup({ pmxcfs: "/sys/kernel", stateDir, ...told }), // takes no file, not even root's
    /^Error: \/sys\/kernel\/priv\/proven\/join\.key can't be written \(E\w+\): without quorum \/etc\/pve is read-only \(pvecm status\)/,
  );
  assert.equal(existsSync(join(stateDir, "join.key")), false);
});

test("a certificate that follows is prepared beside the present one, and the cluster's agents are told of both", async (t) => {
  const { pmxcfs, stateDir, config } = folders(t);
  const { fingerprint } = await loadCertificate(stateDir, now);
  setup({ pmxcfs, stateDir, url: "wss://10.1.2.3:1/agent", fingerprint });
  const said: string[] = [];
  const ports = { config, now, say: (line: string) => said.push(line) };
  await renewCertificate(ports, ["--overlap-hours", "2"]);
  const next = readNextCertificate(stateDir);
  assert.equal(next?.switchAt, now + 2 * 3_600_000);
  assert.equal((await loadCertificate(stateDir, now)).fingerprint, fingerprint);
  assert.deepEqual(JSON.parse(readFileSync(join(pmxcfs, "proven/hub.json"), "utf8")), {
    url: "wss://10.1.2.3:1/agent",
    fingerprint,
    next: next?.fingerprint,
  });
  assert.ok(said.includes(`fingerprint  ${next?.fingerprint}`));
  said.length = 0;
  await showCertificate(ports);
  assert.equal(said[0], `fingerprint  ${fingerprint}`);
  assert.ok(said[2]?.startsWith(`next         ${next?.fingerprint}, from `));
  await assert.rejects(renewCertificate(ports, ["--overlap-hours", "0"]), /whole number/);
});

test("once the hub shows the new certificate, hub.json names it and no other; before, and after another hub's setup, nothing changes", async (t) => {
  const { pmxcfs, stateDir, config } = folders(t);
  const hubFile = join(pmxcfs, "proven/hub.json");
  const told = () => JSON.parse(readFileSync(hubFile, "utf8")) as unknown;
  const ports = { config, now, say: () => undefined };
  const url = "wss://10.1.2.3:1/agent";
  const { fingerprint } = await loadCertificate(stateDir, now);
  settleCertificate(ports);
  assert.equal(existsSync(hubFile), false);
  setup({ pmxcfs, stateDir, url, fingerprint });
  await renewCertificate(ports, ["--now"]);
  const next = readNextCertificate(stateDir)?.fingerprint;
  settleCertificate(ports);
  assert.deepEqual(told(), { url, fingerprint, next });
  switchCertificate(stateDir);
  await renewCertificate(ports, ["--now"]); // another one at once
  const following = readNextCertificate(stateDir)?.fingerprint;
  settleCertificate(ports);
  assert.deepEqual(told(), { url, fingerprint: next, next: following });
  switchCertificate(stateDir);
  settleCertificate(ports);
  assert.deepEqual(told(), { url, fingerprint: following });
  setup({ pmxcfs, stateDir, url: "wss://other:1/agent", fingerprint, next: fingerprint });
  settleCertificate(ports);
  assert.deepEqual(told(), { url: "wss://other:1/agent", fingerprint, next: fingerprint });
});

test("outside of a cluster a certificate is renewed without writing anything there", async (t) => {
  const { pmxcfs, config } = folders(t);
  await renewCertificate({ config, now, say: () => undefined });
  assert.equal(existsSync(join(pmxcfs, "proven")), false);
});

test("the doctor of a hub that does not run names its port, and what the cluster's agents are not told", async (t) => {
  const { pmxcfs, stateDir, config } = folders(t);
  assert.deepEqual(
    (await examine(config, now)).map(({ about, state }) => [about, state]),
    [["state", "trouble"]],
  );
  await loadCertificate(stateDir, now);
  writeFileSync(join(pmxcfs, ".version"), "{}");
  const found = Object.fromEntries((await examine(config, now)).map(({ about, state }) => [about, state]));
  assert.deepEqual(
    [found.files, found.certificate, found.port, found["hub.json"], found["join key"]],
    ["ok", "ok", "trouble", "trouble", "trouble"],
  );
});

test("the doctor names each file of hub.toml that the hub's user can't read, as the hub would not start again", async (t) => {
  const { stateDir, pmxcfs } = folders(t);
  const readable = join(pmxcfs, "password");
  writeFileSync(readable, "secret\n");
  const [proxy, mqtt] = ['[proxy]\nurl = "http://proxy:3128"', '[mqtt]\nurl = "mqtts://broker"'];
  const credentials = (path: string) => `username = "hub"\npassword_file = "${path}"`;
  const toml = `state = "${stateDir}"\nport = 1\n${proxy}\n${credentials(readable)}\n${mqtt}\n${credentials("/nonexistent/password")}\n`;
  await loadCertificate(stateDir, now);
  const said = (await examine(parseConfig(toml), now)).filter(({ about }) => about === "hub.toml");
  assert.equal(said.length, 1);
  assert.match(
    said[0]?.says ?? "",
    /^mqtt\.password_file: \S+ can't read \/nonexistent\/password, so the hub would not start again$/,
  );
});

test("systemd is told that the hub is ready and that it stops, by the descriptor it was given", () => {
  const told: string[] = [];
  const write = (fd: number, text: string) => told.push(`${fd} ${text}`);
  const service = openServiceManager({ PROVEN_NOTIFY_FD: "5" }, { log: () => undefined, write });
  service.ready();
  service.stopping();
  openServiceManager({}, { log: () => undefined, write }).ready();
  assert.deepEqual(told, ["5 READY=1", "5 STOPPING=1"]);
});
