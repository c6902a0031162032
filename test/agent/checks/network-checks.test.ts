import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import ssh2 from "ssh2";
import { type NetworkCheck, type NetworkRequest, runNetworkCheck } from "../../../agent/checks/network-checks.ts";
import { probeSsh } from "../../../agent/checks/probes/shell.ts";
import type { Verdict } from "../../../agent/checks/verdict.ts";
import { systemClock } from "../../../agent/clock.ts";
import { createRunCommand } from "../../../agent/pve/run-command.ts";
import {
  mysqlPacket,
  postgresqlError,
  startDns,
  startHttp,
  startHttps,
  startPostgresql,
  startTcp,
} from "../../support/check-servers.ts";

const run = createRunCommand({ path: "/usr/sbin:/usr/bin:/sbin:/bin" });
const common = { name: "it", timeoutSec: 0.4 } as const;
const verdictOf = (check: NetworkCheck, more: Partial<NetworkRequest> = {}): Promise<Verdict> =>
  runNetworkCheck({ check, address: "127.0.0.1", ...more }, systemClock, run, new AbortController().signal);
const closedPort = 9; // discard: nobody serves it

test("a port that takes connections passes, one that refuses them fails when the time is over", async (t) => {
  const port = await startTcp(t, (socket) => socket.end());
  assert.deepEqual(await verdictOf({ ...common, kind: "tcp", port }), { is: "passed", saw: `port ${port} takes connections` });
  assert.deepEqual(await verdictOf({ ...common, kind: "tcp", port: closedPort }), {
    is: "failed",
    problem: "connection refused",
  });
});

test("a service that comes up late passes: the check is tried until its time is over", async (t) => {
  let requests = 0;
  const port = await startHttp(t, (_, response) => response.writeHead(++requests < 2 ? 503 : 200).end("up"));
  const verdict = await verdictOf({ ...common, timeoutSec: 5, kind: "http", scheme: "http", port, path: "/" });
  assert.deepEqual([verdict, requests], [{ is: "passed", saw: "status 200" }, 2]);
});

test("HTTP is judged by status and text; what the page says is shown harmless and short", async (t) => {
  const port = await startHttp(t, (request, response) => {
    if (request.url === "/moved") response.writeHead(302, { Location: "http://elsewhere/" }).end();
    else if (request.url === "/bad") response.writeHead(500).end(`\u001b[31mDatabase\nis down\u202e${"x".repeat(5000)}`);
    else response.end(`Welcome to ${request.headers.host}`);
  });
  const http = { ...common, kind: "http", scheme: "http", port } as const;
  assert.deepEqual(await verdictOf({ ...http, path: "/", host: "shop.example.org", text: "shop.example.org" }), {
    is: "passed",
    saw: "status 200, with the wanted text",
  });
  assert.deepEqual(await verdictOf({ ...http, path: "/moved" }), { is: "passed", saw: "status 302" });
  assert.deepEqual(await verdictOf({ ...http, path: "/moved", status: 200 }), {
    is: "failed",
    problem: "status 302, wanted 200",
  });
  assert.deepEqual(await verdictOf({ ...http, path: "/", text: "Login" }), {
    is: "failed",
    problem: `status 200, but its text does not hold "Login": "Welcome to 127.0.0.1:${port}"`,
  });
  const bad = await verdictOf({ ...http, path: "/bad" });
  assert.ok(bad.is === "failed");
  assert.ok([...bad.problem].every((char) => char >= " " && char !== "\u202e"));
  assert.ok(bad.problem.length < 260 && bad.problem.startsWith("status 500, wanted 200 to 399: "));
});

test("HTTPS with a certificate nobody signed passes: the guest sits in a sandbox", async (t) => {
  const port = await startHttps(t, (_, response) => response.end("ok"));
  const check = {
    ...common,
    kind: "http",
    scheme: "https",
    port,
    path: "/health",
    host: "shop.example.org",
    text: "ok",
  } as const;
  assert.deepEqual(await verdictOf(check), { is: "passed", saw: "status 200, with the wanted text" });
});

test("a TLS certificate that has ended fails, one that lasts passes", async (t) => {
  const old = await startHttps(t, () => undefined, new Date("2025-03-01T00:00:00Z"));
  assert.deepEqual(await verdictOf({ ...common, kind: "tls", port: old }), {
    is: "failed",
    problem: "the certificate of shop.example.org ended on 2025-03-01",
  });
  const good = await startHttps(t, () => undefined, new Date("2099-03-01T00:00:00Z"));
  assert.deepEqual(await verdictOf({ ...common, kind: "tls", port: good, serverName: "shop.example.org" }), {
    is: "passed",
    saw: "TLSv1.3, certificate of shop.example.org valid until 2099-03-01",
  });
  const plain = await startTcp(t, (socket) => socket.end("220 hello\r\n"));
  assert.equal((await verdictOf({ ...common, kind: "tls", port: plain })).is, "failed");
});

test("a DNS server passes when it answers, also that there is no such name; a wanted answer must be in it", async (t) => {
  const port = await startDns(t, "www.example.org", "192.0.2.80");
  const dns = { ...common, kind: "dns", port } as const;
  assert.deepEqual(await verdictOf({ ...dns, query: "www.example.org", answer: "192.0.2.80" }), {
    is: "passed",
    saw: "www.example.org is 192.0.2.80",
  });
  assert.deepEqual(await verdictOf({ ...dns, query: "nobody.example.org" }), {
    is: "passed",
    saw: "answers for nobody.example.org: no such name",
  });
  assert.deepEqual(await verdictOf({ ...dns, query: "www.example.org", answer: "192.0.2.81" }), {
    is: "failed",
    problem: "www.example.org is 192.0.2.80, wanted 192.0.2.81",
  });
  const refusing = await startDns(t, "x", "192.0.2.1", 5);
  assert.deepEqual(await verdictOf({ ...dns, port: refusing, query: "www.example.org" }), {
    is: "failed",
    problem: "asked for www.example.org: EREFUSED",
  });
});

test("PostgreSQL passes once it asks or refuses a user, not while it starts up", async (t) => {
  const asks = await startPostgresql(t, Buffer.from([0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]));
  assert.deepEqual(await verdictOf({ ...common, kind: "postgresql", port: asks }), {
    is: "passed",
    saw: "PostgreSQL asks who we are",
  });
  const refuses = await startPostgresql(t, postgresqlError("28000", "no pg_hba.conf entry for host"));
  assert.deepEqual(await verdictOf({ ...common, kind: "postgresql", port: refuses }), {
    is: "passed",
    saw: "PostgreSQL answers: no pg_hba.conf entry for host",
  });
  const starts = await startPostgresql(t, postgresqlError("57P03", "the database system is starting up"));
  assert.deepEqual(await verdictOf({ ...common, kind: "postgresql", port: starts }), {
    is: "failed",
    problem: "PostgreSQL says: the database system is starting up (57P03)",
  });
  const other = await startTcp(t, (socket) => socket.end("220 mail.example.org ESMTP\r\n"));
  assert.deepEqual(await verdictOf({ ...common, kind: "postgresql", port: other }), {
    is: "failed",
    problem: "it does not speak PostgreSQL's protocol",
  });
});

test("MySQL passes with its greeting, also when this host may not log in, and fails with too many connections", async (t) => {
  const error = (code: number, text: string) =>
    mysqlPacket(Buffer.concat([Buffer.from([0xff, code & 255, code >> 8]), Buffer.from(text)]));
  const verdict = async (packet: Buffer) =>
    verdictOf({ ...common, kind: "mysql", port: await startTcp(t, (socket) => socket.end(packet)) });
  assert.deepEqual(await verdict(mysqlPacket(Buffer.from("\x0a10.11.6-MariaDB\0rest of it"))), {
    is: "passed",
    saw: "MySQL 10.11.6-MariaDB",
  });
  assert.deepEqual(await verdict(error(1130, "Host '198.18.0.1' is not allowed")), {
    is: "passed",
    saw: "MySQL answers: Host '198.18.0.1' is not allowed",
  });
  assert.deepEqual(await verdict(error(1040, "Too many connections")), {
    is: "failed",
    problem: "MySQL says: Too many connections (1040)",
  });
  assert.deepEqual(await verdict(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")), {
    is: "failed",
    problem: "it does not speak MySQL's protocol",
  });
});

test("an SSH command is run with the node's own password or key", async (t) => {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const allowed = ssh2.utils.parseKey(privateKey);
  assert.ok(!(allowed instanceof Error));
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on("error", () => undefined);
    client.on("authentication", (login) => {
      const password = login.method === "password" && login.password === "hunter2";
      const key = login.method === "publickey" && login.key.data.equals(allowed.getPublicSSH());
      return password || key ? login.accept() : login.reject(["password", "publickey"]);
    });
    client.on("session", (accept) =>
      accept().on("exec", (acceptExec, _, { command }) => {
        const stream = acceptExec();
        stream.write(command === "uptime" ? "up 1 min\n" : "no such thing\n");
        stream.exit(command === "uptime" ? 0 : 127);
        stream.end();
      }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const ssh = {
    ...common,
    timeoutSec: 4,
    kind: "ssh",
    port: (server.address() as AddressInfo).port,
    user: "check",
    secret: "lab",
  } as const;
  const good = { is: "passed", saw: 'the command ended well: "up 1 min"' };
  assert.deepEqual(await verdictOf({ ...ssh, command: "uptime", text: "up" }, { secret: { password: "hunter2" } }), good);
  assert.deepEqual(await verdictOf({ ...ssh, command: "uptime" }, { secret: { privateKey } }), good);
  assert.deepEqual(await verdictOf({ ...ssh, timeoutSec: 1, command: "reboot" }, { secret: { password: "hunter2" } }), {
    is: "failed",
    problem: 'the command ended with exit code 127: "no such thing"',
  });
  assert.deepEqual(await verdictOf({ ...ssh, timeoutSec: 1, command: "uptime" }, { secret: { password: "wrong" } }), {
    is: "failed",
    problem: "user check was not let in with the secret",
  });
});

test("an SSH server that takes the connection and says nothing is a failed check, and no end of the agent", async (t) => {
  const port = await startTcp(t, () => undefined);
  const ssh = { ...common, kind: "ssh", port, user: "check", secret: "lab", command: "uptime" } as const;
  // What its library waits is over before our own clock is: it tells of two errors then.
  const verdict = await probeSsh(ssh, "127.0.0.1", { password: "hunter2" }, new AbortController().signal, 50);
  assert.deepEqual(verdict, { is: "failed", problem: "Timed out while waiting for handshake" });
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
});

test("ping is run by the node's own program, and a missing one skips the check", async () => {
  const answers = {
    ok: true,
    code: 0,
    stdout: "64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.031 ms\n",
    stderr: "",
  } as const;
  const signal = new AbortController().signal;
  const request: NetworkRequest = { check: { ...common, kind: "icmp" }, address: "198.18.1.1" };
  assert.deepEqual(await runNetworkCheck(request, systemClock, async () => answers, signal), {
    is: "passed",
    saw: "answers ping in 0.031 ms",
  });
  assert.deepEqual(
    await runNetworkCheck(request, systemClock, async () => ({ ok: false, problem: "ping: not installed" }), signal),
    {
      is: "impossible",
      why: "ping is not installed: apt install iputils-ping",
    },
  );
});

test("a server that accepts and never says a word fails when the time is over", async (t) => {
  const port = await startTcp(t, () => undefined);
  assert.deepEqual(await verdictOf({ ...common, kind: "mysql", port }), { is: "failed", problem: "no answer within 0.4 s" });
});

test("a cancelled check is skipped, not failed", async (t) => {
  const port = await startTcp(t, () => undefined);
  const cancel = new AbortController();
  const verdict = runNetworkCheck(
    { check: { ...common, timeoutSec: 60, kind: "mysql", port }, address: "127.0.0.1" },
    systemClock,
    run,
    cancel.signal,
  );
  setImmediate(() => cancel.abort());
  assert.deepEqual(await verdict, { is: "impossible", why: "cancelled" });
});
