import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { generate } from "selfsigned";
import { listenAt } from "../../../agent/gateway/listening.ts";
import { doorOf, keyFileOf } from "../../../agent/gateway/pveproxy-settings.ts";
import { cluster, type HubReply, startGateway } from "../../support/gateway-bench.ts";
import { until } from "../../support/started-collector.ts";

test("a request of somebody signed in to Proxmox VE reaches the hub with what this agent vouches for, and without his ticket", async (t) => {
  const { ask, hub, clock } = await startGateway(t);
  hub.answer = () => ({
    status: 200,
    headers: { "content-type": "application/json", etag: '"1"', "set-cookie": "a=b" },
    body: '{"items":[]}',
  });
  const answer = await ask("/api/v1/guests?limit=2", { user: "alice@pve" });
  assert.equal(answer.status, 200);
  assert.equal(answer.body, '{"items":[]}');
  assert.equal(answer.headers.etag, '"1"');
  assert.equal(answer.headers["set-cookie"], undefined);
  assert.equal(answer.headers["access-control-allow-origin"], "https://127.0.0.1:8006");
  assert.equal(answer.headers["access-control-allow-credentials"], "true");
  const [seen] = hub.requests;
  assert.deepEqual(
    { ...seen?.assertion, nonce: undefined, view: undefined, bodySha256: undefined },
    {
      agent: { cluster, node: "pve1" },
      user: "alice@pve",
      view: undefined,
      viewAt: clock.now(),
      method: "GET",
      path: "/api/v1/guests?limit=2",
      bodySha256: undefined,
      granted: [],
      at: clock.now(),
      nonce: undefined,
    },
  );
  assert.doesNotMatch(JSON.stringify(seen), /PVE:alice|PVEAuthCookie/);
});

test("what a user sees is left with the hub when it asks for it, exactly as Proxmox VE shows it to him", async (t) => {
  const { ask, hub, lab } = await startGateway(t);
  const views = new Set<string>();
  hub.answer = ({ method, path, assertion }): HubReply => {
    if (method === "PUT") {
      views.add(path.split("/").at(-1) as string);
      return { status: 204 };
    }
    const known = views.has(assertion?.view ?? "");
    return known ? { status: 200, body: "yours" } : { status: 428, body: '{"error":{"code":"view-needed","message":"x"}}' };
  };
  assert.equal((await ask("/api/v1/guests", { user: "bob@pve" })).body, "yours");
  const view = JSON.parse(hub.requests.find(({ method }) => method === "PUT")?.body ?? "{}");
  const [first] = lab.world.spec.guests.map(({ vmid }) => vmid);
  assert.deepEqual(view.guests, [first]);
  assert.deepEqual(view.auditedNodes, []);
  assert.equal(view.goneGuests, false);
  assert.deepEqual(view.nodes, ["pve1", "pve2", "pve3"]);
  assert.equal((await ask("/api/v1/guests", { user: "bob@pve" })).status, 200);
  assert.equal(hub.requests.filter(({ method }) => method === "PUT").length, 1, "the view is left once");
});

test("a privilege the hub asks for is asked of Proxmox VE, and a missing one ends here with its name", async (t) => {
  const { ask, hub, lab } = await startGateway(t);
  const [first = 0, second = 0] = lab.world.spec.guests.map(({ vmid }) => vmid);
  hub.answer = ({ assertion, path }): HubReply => {
    const need = { path: path.replace("/api/v1", ""), privilege: "VM.Backup" };
    if (assertion?.granted.some((one) => one.path === need.path && one.privilege === need.privilege))
      return { status: 202, body: "begun" };
    return { status: 428, body: JSON.stringify({ error: { code: "privilege-needed", message: "x", needs: [need] } }) };
  };
  const allowed = await ask(`/api/v1/vms/${first}`, { method: "POST", user: "carol@pve" });
  assert.deepEqual([allowed.status, allowed.body], [202, "begun"]);
  const forbidden = await ask(`/api/v1/vms/${second}`, { method: "POST", user: "carol@pve" });
  assert.equal(forbidden.status, 403);
  assert.match(forbidden.body, new RegExp(`VM\\.Backup on /vms/${second}`), "NoAccess on the guest counts, whatever /vms says");
});

test("a hub that never stops asking is cut off", async (t) => {
  const { ask, hub } = await startGateway(t);
  hub.answer = ({ method }) =>
    method === "PUT" ? { status: 204 } : { status: 428, body: '{"error":{"code":"view-needed","message":"x"}}' };
  assert.equal((await ask("/api/v1/guests")).status, 502);
});

const signedOut: [name: string, cookie: string | undefined][] = [
  ["no cookie", undefined],
  ["garbage", "PVEAuthCookie=hello"],
  ["a ticket whose second factor is missing", "PVEAuthCookie=PVE%3A!tfa!%7B%7D%3A6B03A9C5%3A%3AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
  ["an API token instead of a ticket", "PVEAuthCookie=PVE%3Aroot@pam!mon%3A6B03A9C5%3A%3AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
];
for (const [name, cookie] of signedOut) {
  test(`${name} is nobody, and Proxmox VE isn't bothered with it`, async (t) => {
    const { ask, hub, lab } = await startGateway(t);
    const answer = await ask("/api/v1/guests", { user: null, headers: cookie === undefined ? {} : { cookie } });
    assert.equal(answer.status, 401);
    assert.equal(hub.requests.length, 0);
    assert.deepEqual(lab.misuses, []);
  });
}

test("a disabled user is refused within a minute, and not asked about again and again", async (t) => {
  const { ask, hub } = await startGateway(t);
  for (let attempt = 0; attempt < 5; attempt++) assert.equal((await ask("/api/v1/guests", { user: "dora@pve" })).status, 401);
  assert.equal(hub.requests.length, 0);
});

test("somebody who sends one wrong ticket after the other has to wait", async (t) => {
  const { ask } = await startGateway(t);
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 25; attempt++) statuses.push((await ask("/api/v1/guests", { user: "dora@pve" })).status);
  assert.equal(statuses[0], 401);
  assert.equal(statuses.at(-1), 429);
});

test("Proxmox VE that does not answer is told as that, and asked again the next time", async (t) => {
  const { ask, lab } = await startGateway(t);
  lab.control.inject({ kind: "node", node: "pve1", action: "kill" });
  const answer = await ask("/api/v1/guests");
  assert.equal(answer.status, 503);
  assert.match(answer.body, /Proxmox VE's API did not answer/);
});

const foreign: [name: string, origin: string][] = [
  ["another site", "https://evil.example"],
  ["another port of this host", "https://127.0.0.1:9999"],
  ["the same host without TLS", "http://127.0.0.1:8006"],
  ["another name of this node", "https://localhost:8006"],
  ["a sandboxed frame", "null"],
];
for (const [name, origin] of foreign) {
  test(`a page of ${name} gets nothing, not even with the user's cookie`, async (t) => {
    const { ask, hub } = await startGateway(t);
    const answer = await ask("/api/v1/guests", { origin });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
    assert.equal(
      (await ask("/api/v1/guests", { origin, method: "OPTIONS", user: null })).headers["access-control-allow-methods"],
      undefined,
    );
    assert.equal(hub.requests.length, 0);
  });
}

test("the browser's question before a write is answered for Proxmox VE's own page, without a cookie", async (t) => {
  const { ask } = await startGateway(t);
  const { status, headers } = await ask("/api/v1/alerts/x/ack", { method: "OPTIONS", user: null });
  assert.equal(status, 204);
  assert.equal(headers["access-control-allow-origin"], "https://127.0.0.1:8006");
  assert.match(String(headers["access-control-allow-headers"]), /csrfpreventiontoken.*proven-request/);
});

const forged: [name: string, headers: Record<string, string>][] = [
  ["without Proxmox VE's token", { csrfpreventiontoken: "" }],
  ["with another user's token", { csrfpreventiontoken: "alice" }],
  ["without the header only our page sets", { "proven-request": "0" }],
];
for (const [name, headers] of forged) {
  test(`a write ${name} is refused`, async (t) => {
    const { ask, hub, lab } = await startGateway(t);
    const sent = headers.csrfpreventiontoken === "alice" ? { csrfpreventiontoken: lab.csrfToken("alice@pve") } : headers;
    assert.equal((await ask("/api/v1/silences", { method: "POST", body: "{}", headers: sent })).status, 403);
    assert.equal(hub.requests.length, 0);
  });
}

test("while pmxcfs hangs a write is told so in three seconds, and everybody else is answered meanwhile", async (t) => {
  const { ask, clock, lab } = await startGateway(t);
  assert.equal((await ask("/api/v1/guests")).status, 200);
  const key = join(lab.tree.root("pve1"), "etc/pve/pve-www.key");
  rmSync(key);
  execFileSync("mkfifo", [key]);
  const before = clock.sleeping;
  const written = ask("/api/v1/silences", { method: "POST", body: "{}" });
  await until(() => clock.sleeping > before);
  const read = await ask("/api/v1/guests");
  await clock.advance(3000);
  const answer = await written;
  await (await open(key, "r+")).close(); // lets the reader go
  assert.equal(read.status, 200);
  assert.deepEqual([answer.status, /pve-www\.key: does not answer/.test(answer.body)], [503, true]);
});

test("a write without an Origin is refused: no browser sends one", async (t) => {
  const { ask } = await startGateway(t);
  assert.equal((await ask("/api/v1/silences", { method: "POST", body: "{}", origin: null })).status, 403);
});

test("a body of more than 1 MiB is refused", async (t) => {
  const { ask } = await startGateway(t);
  assert.equal((await ask("/api/v1/silences", { method: "POST", body: "x".repeat((1 << 20) + 1) })).status, 413);
});

test("a hub with another certificate than the pinned one gets nothing", async (t) => {
  const { ask, hub } = await startGateway(t, { pinned: Array(32).fill("AB").join(":") });
  const answer = await ask("/api/v1/guests");
  assert.equal(answer.status, 503);
  assert.match(answer.body, /the hub's certificate has fingerprint/);
  assert.equal(hub.requests.length, 0);
});

test("a live stream passes through, is vouched for while it is open, and ends when Proxmox VE no longer takes the ticket", async (t) => {
  const { open, hub, clock, lab } = await startGateway(t);
  hub.answer = ({ method }): HubReply =>
    method === "PUT"
      ? { status: 204 }
      : { status: 200, headers: { "content-type": "text/event-stream" }, body: "event: beat\n\n", open: true };
  const stream = await open("/api/v1/stream", { user: "alice@pve" });
  const [first] = await once(stream, "data");
  assert.equal(String(first), "event: beat\n\n");
  const vouched = () => hub.requests.filter(({ method, assertion }) => method === "PUT" && assertion !== undefined).length;
  await clock.advance(46_000);
  while (vouched() < 1) await new Promise((resolve) => setImmediate(resolve));
  const ended = once(stream, "close").catch(() => undefined);
  stream.on("error", () => undefined);
  stream.resume();
  lab.control.inject({ kind: "clock", node: "pve1", offsetMs: 8_000_000 });
  await clock.advance(46_000);
  await ended;
});

test("the panel's files come from this node, or from the hub where they are not installed", async (t) => {
  const { ask, lab, hub } = await startGateway(t);
  hub.answer = ({ path }) => ({
    status: path === "/panel.js?v=1" ? 200 : 404,
    headers: { "content-type": "text/javascript" },
    body: "of the hub",
  });
  assert.equal((await ask("/panel/panel.js?v=1", { user: null })).body, "of the hub");
  mkdirSync(join(lab.dir, "panel"));
  writeFileSync(join(lab.dir, "panel/panel.js"), "of this node");
  const own = await ask("/panel/panel.js?v=1", { user: null });
  assert.equal(own.body, "of this node");
  assert.equal(
    (await ask("/panel/panel.js", { user: null, headers: { "if-none-match": String(own.headers.etag) } })).status,
    304,
  );
  for (const path of ["/panel/../../etc/shadow", "/panel/%2e%2e/x.js", "/panel/.hidden.js", "/panel/x.sh"])
    assert.equal((await ask(path, { user: null })).status, 404, path);
});

test("the switch in /etc/proven turns the panel off, and its data stays reachable for nobody else", async (t) => {
  const { ask, root } = await startGateway(t);
  const path = join(root, "etc/proven/ui-disabled");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  assert.equal((await ask("/panel/panel.js", { user: null })).status, 204);
});

test("a renewed certificate is served to the next connection, without a restart", async (t) => {
  const { gateway, root, lab } = await startGateway(t);
  const shown = async () => {
    const socket = connect({ host: "127.0.0.1", port: gateway.port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const before = await shown();
  const fresh = await generate([{ name: "commonName", value: "pve1.example.org" }], { keyType: "ec" });
  const at = (file: string) => join(lab.tree.pmxcfs, "nodes/pve1", file);
  writeFileSync(at("pveproxy-ssl.pem"), fresh.cert);
  await gateway.refresh();
  assert.equal(await shown(), before, "half a pair is not taken");
  writeFileSync(at("pveproxy-ssl.key"), fresh.private);
  await gateway.refresh();
  assert.notEqual(await shown(), before);
  rmSync(at("pveproxy-ssl.key"));
  await gateway.refresh();
  assert.equal(await shown(), before, "without an own one the cluster's serves again");
  assert.ok(root.length > 0);
});

test("a key that pveproxy has elsewhere is found where its defaults say", async (t) => {
  const { gateway, root, lab } = await startGateway(t);
  const fresh = await generate([{ name: "commonName", value: "pve1.example.org" }], { keyType: "ec" });
  for (const [path, text] of [
    ["etc/default/pveproxy", '#TLS_KEY_FILE="/no"\nPOLICY="allow"\nTLS_KEY_FILE="/etc/ssl/private/pve.key"\n'],
    ["etc/ssl/private/pve.key", fresh.private],
  ] as const) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  writeFileSync(join(lab.tree.pmxcfs, "nodes/pve1/pveproxy-ssl.pem"), fresh.cert);
  await gateway.refresh();
  const socket = connect({ host: "127.0.0.1", port: gateway.port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  assert.equal(socket.getPeerCertificate().subject.CN, "pve1.example.org");
  socket.destroy();
  assert.deepEqual(
    ["TLS_KEY_FILE=/a # x", "export TLS_KEY_FILE='/b c'", "TLS_KEY_FILE=", "# TLS_KEY_FILE=/d", ""].map(keyFileOf),
    ["/a", "/b c", undefined, undefined, undefined],
  );
});

test("who may not reach pveproxy does not reach the gateway, as soon as its settings say so", async (t) => {
  const { gateway, root, ask, logged } = await startGateway(t);
  const settings = (text: string) => {
    mkdirSync(join(root, "etc/default"), { recursive: true });
    writeFileSync(join(root, "etc/default/pveproxy"), text);
    return gateway.refresh();
  };
  await settings('ALLOW_FROM="127.0.0.1"\nDENY_FROM="all"\nPOLICY="allow"\n');
  assert.equal((await ask("/", { user: null })).status, 200, "both lists name it: by the policy");
  await settings('ALLOW_FROM="10.0.0.0/8"\nDENY_FROM="all"\nPOLICY="allow"\n');
  await assert.rejects(ask("/", { user: null }), /ECONNRESET|socket hang up|disconnected/);
  await settings('ALLOW_FROM="10.0.0.0/x"\n');
  await assert.rejects(ask("/", { user: null }));
  assert.equal(logged.filter((line) => line.includes("not understood")).length, 1);
  rmSync(join(root, "etc/default/pveproxy"));
  mkdirSync(join(root, "etc/default/pveproxy"));
  await gateway.refresh();
  await assert.rejects(ask("/", { user: null }), "what can't be read lets nobody in");
  rmSync(join(root, "etc/default/pveproxy"), { recursive: true });
  await settings("");
  assert.equal((await ask("/", { user: null })).status, 200);
});

test("pveproxy's lists are read as it reads them: addresses, networks, ranges, all, and the policy for the rest", () => {
  const admitted = (text: string, ...addresses: string[]) => addresses.map((address) => doorOf(text).admits(address));
  const lists = "ALLOW_FROM='10.0.0.1-10.0.0.5,192.168.0.0/22, 172.16/12,fd00::/8'\n";
  const inside = ["10.0.0.5", "::ffff:192.168.3.9", "172.31.0.1", "fd12::1"];
  assert.deepEqual(admitted(`${lists}POLICY=deny\n`, ...inside, "10.0.0.6", "2001:db8::1"), [
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
  assert.deepEqual(admitted(`${lists}DENY_FROM=all\n`, "10.0.0.6"), [false]);
  assert.deepEqual(admitted(`${lists}DENY_FROM=all\nPOLICY=deny`, "10.0.0.5"), [false]);
  assert.deepEqual(admitted("DENY_FROM=10.0.0.1 # him\n#POLICY=deny", "10.0.0.1", "10.0.0.2"), [false, true]);
  assert.deepEqual(admitted("", "10.0.0.1", "fe80::1%vmbr0"), [true, true]);
});

test("a gateway whose port is taken says so once, and listens as soon as it is free", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const { gateway, logged } = await startGateway(t, { port });
  await gateway.refresh();
  assert.equal(gateway.port, 0);
  assert.deepEqual(
    logged.filter((line) => line.includes("listen")),
    [`the gateway can't listen on port ${port}: free it, or set [gateway] listen or port in agent.toml`],
  );
  taken.close();
  await once(taken, "close");
  await gateway.refresh();
  assert.equal(gateway.port, port);
  assert.equal(logged.at(-1), "gateway listens");
});

test("on a node whose kernel has no IPv6 the gateway listens to IPv4", async () => {
  const server = createServer();
  const tried: string[] = [];
  const listen = ({ host }: { host: string }, done: () => void) => {
    tried.push(host);
    if (host === "0.0.0.0") setImmediate(done);
    else setImmediate(() => server.emit("error", Object.assign(new Error("no IPv6"), { code: "EAFNOSUPPORT" })));
    return server;
  };
  assert.equal(await listenAt(Object.assign(server, { listen }), { listen: "::", port: 8421 }), undefined);
  assert.deepEqual(tried, ["::", "0.0.0.0"]);
  assert.equal(await listenAt(server, { listen: "fd00::1", port: 8421 }), "no IPv6");
});
