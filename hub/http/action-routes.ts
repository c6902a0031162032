import { createHash } from "node:crypto";
import type { AlertView } from "#protocol/alerting.ts";
import type { Notification } from "#protocol/notifications.ts";
import { actionPath } from "../alerting/action-links.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import type { ReceiverPorts } from "../alerting/delivery.ts";
import { byLink, type LinkAction, linkScope, silenceByLink } from "../core/action-link.ts";
import { timeText } from "../core/message.ts";
import type { Actor } from "../store/state.ts";
import { actionPage, actionStyle, type PageText, pageLanguage, pageWords } from "./action-page.ts";
import type { HubApp, HubContext } from "./env.ts";
import type { HttpPorts } from "./ports.ts";

type ActionPorts = Pick<HttpPorts, "state" | "clock"> & { alerting: AlertingPorts; delivery: ReceiverPorts };

/** A link whose signature fits. `message` is undefined when the log of deliveries has forgotten it. */
type Question = { token: string; action: LinkAction; expired: boolean; message: Notification | undefined };

/**
 * What links in messages lead to: a page that says what would be done (GET), and a button that does it (POST). Mail scanners and chat previews
 * follow links but press no buttons. The link is the only credential: it stands for one action on one message's alerts, for some days.
 */
export function actionRoutes(app: HubApp, ports: ActionPorts): void {
  app.get(`${actionPath}style.css`, (c) =>
    c.body(actionStyle, 200, { "Content-Type": "text/css; charset=utf-8", "Cache-Control": "no-cache" }),
  );
  app.get(`${actionPath}:token`, (c) => {
    const question = questionOf(c, ports);
    return question === undefined ? answer(c, 404, refusal(c, "forged")) : answer(c, ...ask(c, question, ports));
  });
  app.post(`${actionPath}:token`, (c) => {
    const question = questionOf(c, ports);
    return question === undefined ? answer(c, 404, refusal(c, "forged")) : answer(c, ...act(c, question, ports));
  });
}

type Status = 200 | 404 | 410;

/** Nobody keeps it, no search engine lists it, and the panel's address is all it links to. A button of a notification asks for JSON. */
function answer(c: HubContext, status: Status, page: PageText): Response {
  c.header("X-Robots-Tag", "noindex");
  if (c.req.header("Accept") === "application/json") {
    return c.json({ heading: page.heading, lines: page.lines }, status, { "Cache-Control": "no-store" });
  }
  return c.html(actionPage(page, pageLanguage(c.req.header("Accept-Language"))), status, { "Cache-Control": "no-store" });
}

/** Undefined: nobody here made this link. */
function questionOf(c: HubContext, { delivery, state, clock }: ActionPorts): Question | undefined {
  const token = c.req.param("token") ?? "";
  const link = delivery.links.open(token, clock.now());
  if (link.state === "forged") return undefined;
  const { action, delivery: id } = link.claim;
  return { token, action, expired: link.state === "expired", message: state.get("delivery", id)?.notification };
}

const wordsFor = (c: HubContext) => pageWords[pageLanguage(c.req.header("Accept-Language"))];

function refusal(c: HubContext, why: "forged" | "expired" | "forgotten"): PageText {
  const words = wordsFor(c);
  return { heading: words[why], lines: [words.usePanel], alerts: [], button: undefined };
}

/** What would be done, or why there is nothing to do. */
function ask(c: HubContext, { action, expired, message }: Question, { alerting }: ActionPorts): [Status, PageText] {
  if (expired) return [410, refusal(c, "expired")];
  if (message === undefined) return [410, refusal(c, "forgotten")];
  const words = wordsFor(c);
  const { firing, untaken } = linkScope(message.alerts, alerting.views());
  if (firing.length === 0) return [200, { heading: words.over, lines: [], alerts: titles(message.alerts), button: undefined }];
  if (action === "acknowledge" && untaken.length === 0) return [200, taken(c, firing)];
  const lines = action === "acknowledge" ? [words.whatAcknowledge] : [words.whatSilence];
  const heading = action === "acknowledge" ? words.askAcknowledge : words.askSilence;
  const button = action === "acknowledge" ? words.acknowledge : words.silence;
  return [200, { heading, lines, alerts: titles(action === "acknowledge" ? untaken : firing), button }];
}

function taken(c: HubContext, firing: readonly AlertView[]): PageText {
  const words = wordsFor(c);
  const lines = [...new Set(firing.flatMap(({ acknowledged }) => acknowledged?.by ?? []))].map((who) => words.takenBy(who));
  return { heading: words.taken, lines, alerts: titles(firing), button: undefined };
}

function act(c: HubContext, question: Question, ports: ActionPorts): [Status, PageText] {
  const { action, expired, message } = question;
  if (expired || message === undefined) return ask(c, question, ports);
  const { firing, untaken } = linkScope(message.alerts, ports.alerting.views());
  const isOpen = action === "acknowledge" ? untaken.length > 0 : firing.length > 0;
  if (!isOpen) return ask(c, question, ports);
  if (action === "acknowledge") return [200, acknowledge(c, message.receiver, untaken, ports)];
  return [200, silence(c, question.token, message.receiver, firing, ports)];
}

function acknowledge(c: HubContext, receiver: string, untaken: readonly AlertView[], ports: ActionPorts): PageText {
  const words = wordsFor(c);
  const by: Actor = { actor: byLink(receiver), reason: "acknowledged by a link in a message" };
  const acknowledged = { by: byLink(receiver), at: ports.clock.now(), until: null, note: null };
  for (const { id } of untaken) ports.alerting.acknowledge(id, acknowledged, by);
  return { heading: words.acknowledged, lines: [words.noRepeats], alerts: titles(untaken), button: undefined };
}

function silence(c: HubContext, token: string, receiver: string, firing: readonly AlertView[], ports: ActionPorts): PageText {
  const words = wordsFor(c);
  const { state, clock, alerting } = ports;
  const digest = createHash("sha256").update(token).digest("hex");
  const made = silenceByLink(digest, receiver, firing, clock.now());
  const present = state.get("silence", made.id);
  if (present === undefined) {
    state.put("silence", made.id, made, { actor: byLink(receiver), reason: "silenced by a link in a message" });
    alerting.reload();
  }
  const until = timeText((present ?? made).endsAt);
  return { heading: words.silenced, lines: [words.silencedUntil(until)], alerts: titles(firing), button: undefined };
}

const titles = (alerts: readonly AlertView[]) => alerts.map(({ text }) => text);
