import type { EpochMs } from "#protocol/ids.ts";
import { DeliveryDispatcher } from "../../hub/alerting/dispatcher.ts";
import { receiverRules } from "../../hub/core/receiver-check.ts";
import { OutgoingClient } from "../../hub/outgoing.ts";
import { systemClock } from "../../hub/ports.ts";
import { openSender } from "../../hub/senders/send.ts";
import { StateStore } from "../../hub/store/state.ts";
import { notificationOf, webhookReceiver } from "./notifications.ts";

/** A hub's delivery and nothing else, as a process that can be killed: `dispatch-child.ts DIR URL COUNT`. Ends when all is delivered. */
const [dir = "", url = "", count = "0"] = process.argv.slice(2);
const state = StateStore.open({ dir, now: () => Date.now() as EpochMs });
const by = { actor: "test", reason: "test" };
state.put("receiver", "r", webhookReceiver(url), by);
const client = new OutgoingClient(receiverRules(true));
const none = () => undefined;
const send = openSender({
  clock: systemClock,
  client: () => client,
  rules: receiverRules,
  secret: () => `whsec_${Buffer.alloc(24).toString("base64")}`,
  base: "https://hub.lan",
  actionsOf: () => [],
  sendmail: "",
  vapid: { publicKey: "", privateKey: "" },
  subscriptions: async () => [],
  contacts: () => [],
  unsubscribe: none,
  telegramApi: "",
  pagerDutyApi: "",
  outlet: undefined,
});
const events = { failing: none, back: none, disabled: none, dead: none };
const dispatcher = new DeliveryDispatcher({ state, clock: systemClock, log: none, random: Math.random, send, events });
dispatcher.start();
// A second start finds them known.
state.together(() => {
  for (let n = 0; n < Number(count); n++) dispatcher.enqueue(notificationOf({ id: `n${n}`, group: `g${n}` }));
});
dispatcher.committed();
while (dispatcher.log.open().length > 0) await systemClock.sleep(20);
await dispatcher.stop();
client.close();
await state.close();
