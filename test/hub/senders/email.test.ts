import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Receiver } from "#protocol/notifications.ts";
import { type MailServer, startMailServer } from "../../support/mail-server.ts";
import { common, notificationOf, resolvedOf } from "../../support/notifications.ts";
import { testSender } from "../../support/senders.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

type Smtp = NonNullable<Extract<Receiver, { type: "email" }>["smtp"]>;
const receiver = (smtp: Smtp | undefined): Receiver => ({
  ...common,
  type: "email",
  ...(smtp === undefined ? {} : { smtp }),
  from: "Proven <proven@example.org>",
  to: ["ops@example.org", "Anna <anna@example.org>"],
});
const at = ({ port }: MailServer, tls: Smtp["tls"], user?: string): Smtp => ({
  host: "localhost",
  port,
  tls,
  ...(user === undefined ? {} : { user, password: { ref: "receiver/r/password" } }),
});
const header = (mail: string, name: string) =>
  new RegExp(`^${name}: (.*(?:\\r?\\n[ \\t].*)*)`, "im").exec(mail)?.[1]?.replace(/\r?\n[ \t]+/g, " ");

for (const [name, tls, secure] of [
  ["STARTTLS", "starttls", false],
  ["TLS from the first byte", "tls", true],
] as const) {
  test(`a mail goes out over ${name}, signed in, to all recipients`, async (t) => {
    const server = await startMailServer(t, { secure, authOptional: false });
    const { send } = testSender(t, { password: "right" }, { ca: server.ca });
    const result = await send(notificationOf(), receiver(at(server, tls, "anna")));
    assert.equal(result.ok, true, JSON.stringify(result));
    const [mail] = server.mails;
    assert.deepEqual([mail?.secure, mail?.user, mail?.from], [true, "anna", "proven@example.org"]);
    assert.deepEqual(mail?.to, ["ops@example.org", "anna@example.org"]);
  });
}

test("a mail is text and HTML, says it is generated, and begins with the verdict", async (t) => {
  const server = await startMailServer(t);
  const { send } = testSender(t, {}, { ca: server.ca });
  await send(notificationOf(), receiver(at(server, "starttls")));
  const text = server.mails[0]?.text ?? "";
  assert.equal(header(text, "Subject"), "WARNING: web (VM 100) uses 97 % of its CPU");
  assert.equal(header(text, "Auto-Submitted"), "auto-generated");
  assert.match(header(text, "Content-Type") ?? "", /^multipart\/alternative/);
  assert.match(text, /Content-Type: text\/plain[\s\S]*?\r\n\r\nWARNING: web \(VM 100\) uses 97 % of its CPU\r\n/);
  assert.match(text, /Content-Type: text\/html/);
});

test("a report is a mail of its own text, with the same as PDF", async (t) => {
  const server = await startMailServer(t);
  const { send } = testSender(t, {}, { ca: server.ca });
  const sheet = { title: "Restore proof", at: 0, blocks: [{ is: "title" as const, text: "All 3 restore tests passed" }] };
  const report = { ...notificationOf(), kind: "report" as const, reason: "report" as const, alerts: [], sheet };
  assert.equal((await send(report, receiver(at(server, "starttls")))).ok, true);
  const text = server.mails[0]?.text ?? "";
  assert.match(text, /All 3 restore tests passed/);
  assert.match(text, /Content-Type: application\/pdf; name=Restore-proof\.pdf/);
  // "%PDF-" in base64.
  assert.match(text, /JVBERi0/);
});

test("all mails of a trouble are one thread; a repeated one has the same Message-ID", async (t) => {
  const server = await startMailServer(t);
  const { send } = testSender(t, {}, { ca: server.ca });
  const smtp = at(server, "starttls");
  for (const notification of [notificationOf(), notificationOf(), resolvedOf(), notificationOf({ id: "n3", group: "other" })]) {
    await send(notification, receiver(smtp));
  }
  const [first, repeated, end, other] = server.mails.map(({ text }) => ({
    id: header(text, "Message-ID"),
    references: header(text, "References"),
  }));
  assert.deepEqual(first, repeated);
  assert.notEqual(end?.id, first?.id);
  assert.equal(end?.references, first?.references);
  assert.notEqual(other?.references, first?.references);
  assert.match(first?.references ?? "", /^<group\.[0-9a-f]{40}@example\.org>$/);
});

test("a wrong password is tried again later and shown nowhere", async (t) => {
  const server = await startMailServer(t, { authOptional: false });
  const { send } = testSender(t, { password: "wrong-secret" }, { ca: server.ca });
  const result = await send(notificationOf(), receiver(at(server, "starttls", "anna")));
  assert.deepEqual([result.ok, !result.ok && result.retry], [false, true]);
  assert.match(result.ok ? "" : result.problem, /Invalid login/);
  assert.equal(JSON.stringify(result).includes("wrong-secret"), false);
});

test("no mail goes to a server without STARTTLS where it is wanted, nor to one with a certificate of nobody known", async (t) => {
  const plain = await startMailServer(t, { hideSTARTTLS: true, disabledCommands: ["STARTTLS"] });
  const tls = await startMailServer(t, { secure: true });
  const { send } = testSender(t, { password: "right" });
  for (const smtp of [at(plain, "starttls", "anna"), at(tls, "tls", "anna")]) {
    const result = await send(notificationOf(), receiver(smtp));
    assert.deepEqual([result.ok, !result.ok && result.retry], [false, true]);
  }
  assert.deepEqual([...plain.mails, ...tls.mails], []);
});

test("a recipient that the server refuses for good ends the message, one that is greylisted does not", async (t) => {
  let code = 550;
  const server = await startMailServer(t, {
    onRcptTo: (_, __, done) => done(Object.assign(new Error("no such mailbox"), { responseCode: code })),
  });
  const { send } = testSender(t, {}, { ca: server.ca });
  const refused = await send(notificationOf(), receiver(at(server, "starttls")));
  code = 451;
  const greylisted = await send(notificationOf(), receiver(at(server, "starttls")));
  assert.deepEqual([!refused.ok && refused.retry, !greylisted.ok && greylisted.retry], [false, true]);
});

test("a mail that is greylisted for one of its recipients comes to that one later, and to nobody twice", async (t) => {
  let code: number | undefined = 451;
  const server = await startMailServer(t, {
    onRcptTo: ({ address }, _, done) =>
      done(
        code !== undefined && address.startsWith("anna")
          ? Object.assign(new Error("greylisted"), { responseCode: code })
          : undefined,
      ),
  });
  const { send } = testSender(t, {}, { ca: server.ca });
  const to = receiver(at(server, "starttls"));
  const first = await send(notificationOf(), to);
  assert.deepEqual([!first.ok && first.retry, !first.ok && first.problem.includes("anna@example.org")], [true, true]);
  code = undefined;
  assert.equal((await send(notificationOf(), to)).ok, true);
  assert.deepEqual(
    server.mails.map((mail) => mail.to),
    [["ops@example.org"], ["anna@example.org"]],
  );
  code = 451;
  await send(notificationOf({ id: "n2" }), to);
  code = 550;
  const last = await send(notificationOf({ id: "n2" }), to);
  assert.match(last.ok ? last.answer : "", /^accepted for ops@example\.org, then: /);
});

test("who is taken off a mail that waits for him is not waited for", async (t) => {
  const server = await startMailServer(t, {
    onRcptTo: ({ address }, _, done) =>
      done(address.startsWith("anna") ? Object.assign(new Error("greylisted"), { responseCode: 451 }) : undefined),
  });
  const { send } = testSender(t, {}, { ca: server.ca });
  const to = receiver(at(server, "starttls"));
  await send(notificationOf(), to);
  const last = await send(notificationOf(), { ...to, to: ["ops@example.org"] } as Receiver);
  assert.deepEqual([last.ok, server.mails.length], [true, 1], JSON.stringify(last));
});

test("the server is told a whole name or an address, never a bare host name", async (t) => {
  let said = "";
  const server = await startMailServer(t, {
    onMailFrom: (_, session, done) => {
      said = session.hostNameAppearsAs;
      done();
    },
  });
  await testSender(t, {}, { ca: server.ca }).send(notificationOf(), receiver(at(server, "starttls")));
  assert.match(said, /\./);
});

test("a mail server on this machine is not connected to without leave", async (t) => {
  const server = await startMailServer(t);
  const { send } = testSender(t, {}, { ca: server.ca });
  const result = await send(notificationOf(), { ...receiver(at(server, "starttls")), privateAddress: false });
  assert.deepEqual([result.ok, !result.ok && result.retry], [false, false]);
  assert.match(result.ok ? "" : result.problem, /set privateAddress if that is meant/);
});

test("without an SMTP server the local sendmail gets the mail and its recipients", async (t) => {
  const dir = temporaryDir(t);
  const sendmail = join(dir, "sendmail");
  writeFileSync(sendmail, `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/args\ncat > ${dir}/mail\n`);
  chmodSync(sendmail, 0o755);
  const { send } = testSender(t, {}, { sendmail });
  const result = await send(notificationOf(), receiver(undefined));
  assert.equal(result.ok, true, JSON.stringify(result));
  assert.match(readFileSync(join(dir, "args"), "utf8"), /-f\nproven@example\.org\nops@example\.org\nanna@example\.org\n/);
  assert.match(readFileSync(join(dir, "mail"), "utf8"), /^Subject: WARNING: web/m);
  const missing = await testSender(t, {}, { sendmail: "/nonexistent/sendmail" }).send(notificationOf(), receiver(undefined));
  assert.deepEqual([missing.ok, !missing.ok && missing.retry], [false, true]);
});
