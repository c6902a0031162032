import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { generate } from "selfsigned";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export type Mail = { from: string; to: string[]; text: string; secure: boolean; user: string | undefined };

export type MailServer = { port: number; mails: Mail[]; ca: string };

/** A real SMTP server for `localhost` with a certificate of its own; `anna` may sign in with `right`. */
export async function startMailServer(t: TestContext, options: SMTPServerOptions = {}): Promise<MailServer> {
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
  });
  const mails: Mail[] = [];
  const server = new SMTPServer({
    cert,
    key,
    logger: false,
    authOptional: true,
    onAuth: ({ username, password }, _, done) =>
      password === "right" ? done(null, { user: username ?? "" }) : done(new Error("Invalid login")),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        const from = mailFrom === false ? "" : mailFrom.address;
        const to = rcptTo.map(({ address }) => address);
        mails.push({ from, to, text: Buffer.concat(chunks).toString(), secure: session.secure, user: session.user });
        done();
      });
    },
    ...options,
  });
  // A client that hangs up over a certificate is what some tests are about.
  server.on("error", () => undefined);
  const listening = server.listen(0, "127.0.0.1");
  await once(listening, "listening");
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (listening.address() as AddressInfo).port, mails, ca: cert };
}
