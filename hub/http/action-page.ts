import { htmlEscape } from "../core/html.ts";

/** The small pages behind links in messages: no script, readable on a phone at night, in the browser's language. */

export type PageText = { heading: string; lines: readonly string[]; alerts: readonly string[]; button: string | undefined };

const alertsShown = 20;

const english = {
  forged: "This link is not one of Proven's",
  expired: "This link is too old",
  forgotten: "The message of this link is no longer kept",
  usePanel: "Acknowledge or silence it in the panel instead.",
  over: "It is over already: there is nothing to do",
  taken: "Somebody has taken it already",
  takenBy: (who: string) => `Taken by ${who}.`,
  askAcknowledge: "Acknowledge?",
  whatAcknowledge: "You take it: it is not repeated and not escalated. Its end is still told.",
  acknowledge: "Acknowledge",
  acknowledged: "Acknowledged",
  noRepeats: "No repeats, no escalation. Its end is still told.",
  askSilence: "Silence for 4 hours?",
  whatSilence: "Nobody is told of it for 4 hours. It is recorded all the same, and told then if it still fires.",
  silence: "Silence for 4 hours",
  silenced: "Silenced",
  silencedUntil: (until: string) => `Quiet until ${until}.`,
  more: (n: number) => `and ${n} more`,
  panel: "Open Proven",
};
const italian: typeof english = {
  forged: "Questo collegamento non è di Proven",
  expired: "Questo collegamento è troppo vecchio",
  forgotten: "Il messaggio di questo collegamento non è più conservato",
  usePanel: "Prendilo in carico o silenzialo dal pannello.",
  over: "È già finito: non c'è nulla da fare",
  taken: "Qualcuno l'ha già preso in carico",
  takenBy: (who) => `Preso in carico da ${who}.`,
  askAcknowledge: "Prendere in carico?",
  whatAcknowledge: "Lo prendi in carico: niente ripetizioni, niente escalation. La fine viene comunque notificata.",
  acknowledge: "Prendi in carico",
  acknowledged: "Preso in carico",
  noRepeats: "Niente ripetizioni, niente escalation. La fine viene comunque notificata.",
  askSilence: "Silenziare per 4 ore?",
  whatSilence: "Nessuno viene avvisato per 4 ore. Viene comunque registrato, e notificato dopo se dura ancora.",
  silence: "Silenzia per 4 ore",
  silenced: "Silenziato",
  silencedUntil: (until) => `In silenzio fino a ${until}.`,
  more: (n) => `e altri ${n}`,
  panel: "Apri Proven",
};
export const pageWords = { en: english, it: italian } as const;
export type PageLanguage = keyof typeof pageWords;

/** The first of the browser's languages that there is; English otherwise. */
export function pageLanguage(accepted: string | undefined): PageLanguage {
  const wanted = (accepted ?? "").split(",").map((one) => one.trim().slice(0, 2).toLowerCase());
  return wanted.find((one) => one === "en" || one === "it") === "it" ? "it" : "en";
}

export const actionStyle = `:root{color-scheme:light dark;font:18px/1.45 system-ui,sans-serif}
body{max-width:34rem;margin:0 auto;padding:1.5rem 1rem}
h1{font-size:1.5rem;margin:0 0 .5rem}
ul{margin:1rem 0;padding:0;list-style:none}
li{padding:.5rem .75rem;border-left:5px solid #d97706;background:color-mix(in srgb,CanvasText 7%,Canvas);margin:0 0 .4rem;overflow-wrap:anywhere}
button{font:inherit;font-weight:600;width:100%;padding:.9rem;border:0;border-radius:.4rem;background:#1d4ed8;color:#fff;cursor:pointer}
button:focus-visible,a:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
p a{color:inherit}
`;

export function actionPage({ heading, lines, alerts, button }: PageText, language: PageLanguage): string {
  const words = pageWords[language];
  const shown = alerts.slice(0, alertsShown).map((text) => `<li>${htmlEscape(text)}</li>`);
  const left = alerts.length - shown.length;
  return [
    `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">`,
    `<title>${htmlEscape(heading)} · Proven</title><link rel="stylesheet" href="/act/style.css"></head><body><main>`,
    `<h1>${htmlEscape(heading)}</h1>`,
    ...lines.map((line) => `<p>${htmlEscape(line)}</p>`),
    ...(shown.length === 0 ? [] : [`<ul>${shown.join("")}${left > 0 ? `<li>${words.more(left)}</li>` : ""}</ul>`]),
    ...(button === undefined ? [] : [`<form method="post"><button type="submit">${htmlEscape(button)}</button></form>`]),
    `<p><a href="/#/alerts">${words.panel}</a></p></main></body></html>`,
  ].join("\n");
}
