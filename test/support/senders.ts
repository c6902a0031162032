import type { TestContext } from "node:test";
import { receiverRules } from "../../hub/core/receiver-check.ts";
import { OutgoingClient } from "../../hub/outgoing.ts";
import { openSender, type Send, type SenderPorts } from "../../hub/senders/send.ts";
import { FakeClock } from "./fake-clock.ts";

/** All channels, with secrets by the last part of their name; services that have one address only are asked at `api`. */
export function testSender(
  t: TestContext,
  secrets: Record<string, string>,
  given: Partial<SenderPorts> & { api?: string } = {},
): { send: Send; clock: FakeClock } {
  const { api = "http://127.0.0.1:9", ca, ...ports } = given;
  const clock = new FakeClock();
  const clients = [false, true].map((open) => new OutgoingClient(receiverRules(open), ca === undefined ? {} : { ca }));
  t.after(() => {
    for (const client of clients) client.close();
  });
  const send = openSender({
    clock,
    client: (privateAddress) => clients[privateAddress ? 1 : 0] as OutgoingClient,
    rules: receiverRules,
    secret: ({ ref }) => {
      const value = secrets[ref.split("/").at(-1) ?? ""];
      if (value === undefined) throw new Error(`no secret ${ref}`);
      return value;
    },
    base: "https://hub.lan",
    actionsOf: () => [],
    sendmail: "/nonexistent/sendmail",
    ca,
    vapid: { publicKey: "", privateKey: "" },
    subscriptions: async () => [],
    contacts: () => [],
    unsubscribe: () => undefined,
    telegramApi: api,
    pagerDutyApi: api,
    outlet: undefined,
    ...ports,
  });
  return { send, clock };
}
