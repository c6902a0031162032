import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { defaultRules } from "../../hub/core/default-rules.ts";
import { eventTypes } from "../../hub/core/event-types.ts";
import { withSentences } from "../../ui-extension/core/sentences.ts";
import { plural, translator } from "../../ui-extension/core/text.ts";
import { italian as italianPages } from "../../ui-extension/i18n/italian.ts";
import { italianAgents } from "../../ui-extension/i18n/italian-agents.ts";
import { italianAlerting } from "../../ui-extension/i18n/italian-alerting.ts";
import { italianDecisions } from "../../ui-extension/i18n/italian-decisions.ts";
import { italianEmbedded } from "../../ui-extension/i18n/italian-embedded.ts";
import { italianEntities } from "../../ui-extension/i18n/italian-entities.ts";
import { italianEvents } from "../../ui-extension/i18n/italian-events.ts";
import { italianOverview } from "../../ui-extension/i18n/italian-overview.ts";
import { italianPolicies } from "../../ui-extension/i18n/italian-policies.ts";
import { italianProof } from "../../ui-extension/i18n/italian-proof.ts";
import { italianRecovery } from "../../ui-extension/i18n/italian-recovery.ts";
import { italianSentences as italianOfRules, italianRules } from "../../ui-extension/i18n/italian-rules.ts";
import { preferredLanguage } from "../../ui-extension/i18n.ts";
import { themeOf } from "../../ui-extension/theme-choice.ts";

const catalogues: readonly Readonly<Record<string, string>>[] = [
  italianPages,
  italianAgents,
  italianAlerting,
  italianEmbedded,
  italianEntities,
  italianOverview,
  italianProof,
  italianPolicies,
  italianRecovery,
  italianRules,
];
const italian: Readonly<Record<string, string>> = Object.assign({}, ...catalogues);
const italianSentences = { ...italianOfRules, ...italianEvents, ...italianDecisions };
/** Of each event both things that it can say. What is not named here is a word. */
const eventFacts = [
  { test: true, skewMs: 3000, tookMs: 1000, forMs: 1000, addresses: ["a", "b"], leftovers: ["a", "b"] },
  {
    test: false,
    skewMs: -3000,
    tookMs: 150_000,
    forMs: 150_000,
    addresses: ["a", "b"],
    leftovers: ["a"],
    title: "",
    from: undefined,
  },
];
const folder = fileURLToPath(new URL("../../ui-extension/", import.meta.url));

/** Literal texts given to t, tn and plural anywhere in the panel. */
function textsInSource(): Set<string> {
  const found = new Set<string>();
  const call = /\b(?:t|tn|plural)\(\s*(?:[^"()]|\([^()]*\))*?"((?:[^"\\]|\\.)*)"(?:\s*,\s*"((?:[^"\\]|\\.)*)")?/g;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts") || name.startsWith("i18n/")) continue;
    for (const [, one, many] of readFileSync(join(folder, name), "utf8").matchAll(call)) {
      for (const text of [one, many]) if (text !== undefined) found.add(text);
    }
  }
  return found;
}

test("every text of the panel has its Italian one", () => {
  const texts = textsInSource();
  assert.ok(texts.size > 150, `only ${texts.size} texts found in the source`);
  assert.deepEqual(
    [...texts].filter((text) => !Object.hasOwn(italian, text)),
    [],
  );
});

test("no Italian text stands for one that nobody says", () => {
  const sources = ["ui-extension", "protocol", "hub"].flatMap((part) =>
    readdirSync(join(folder, "..", part), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.startsWith("i18n/"))
      .map((name) => readFileSync(join(folder, "..", part, name), "utf8")),
  );
  const said = sources.join("\n");
  assert.deepEqual(
    Object.keys(italian).filter((text) => !said.includes(text) && !said.includes(JSON.stringify(text).slice(1, -1))),
    [],
  );
});

test("an Italian text names the same values as the English one", () => {
  const names = (text: string) => [...text.matchAll(/\{(\w+)(?::[^{}]*)?\}/g)].map(([, name]) => name).sort();
  assert.deepEqual(
    Object.entries({ ...italian, ...italianSentences }).filter(([english, text]) => names(english).join() !== names(text).join()),
    [],
  );
});

test("an English text has one Italian one, whichever part of the panel says it", () => {
  const said = catalogues.flatMap((catalogue) => Object.entries(catalogue));
  assert.deepEqual(
    said.filter(([english, text]) => Object.hasOwn(italian, english) && italian[english] !== text),
    [],
  );
});

test("numbers choose between one and many; an unknown text stays English", () => {
  const t = translator(italian);
  assert.equal(plural(t, 1, "{n} guest unknown", "{n} guests unknown"), "1 guest sconosciuto");
  assert.equal(plural(t, 2, "{n} guest unknown", "{n} guests unknown"), "2 guest sconosciuti");
  assert.equal(t("constructor {x}", { x: 1 }), "constructor 1");
});

test("every name, sentence and remedy of a rule that comes with Proven has its Italian one", () => {
  const rules = defaultRules.flatMap(({ name, text, remedy }) => [name, text ?? "", remedy ?? ""]);
  assert.deepEqual(
    rules.filter((said) => said !== "" && !Object.hasOwn(italianRules, said) && !Object.hasOwn(italianSentences, said)),
    [],
  );
});

test("what the hub says of an alert is told in Italian, with its names and values as they are", () => {
  const t = withSentences(translator(italian), italianSentences);
  const cases: [english: string, other: string][] = [
    ["Storage nfs1 is 91 % full", "Lo storage nfs1 è pieno al 91 %"],
    ["ZFS pool tank is 91 % full: it gets slow from there", "Il pool ZFS tank è pieno al 91 %: da lì diventa lento"],
    ["The root file system of pve1 is 91 % full", "Il file system radice di pve1 è pieno al 91 %"],
    ["Disk sda (X) on pve1 has 1 sector that it can't read", "Il disco sda (X) su pve1 ha 1 settore che non riesce a leggere"],
    ["Disk sda (X) on pve1 has 21 sectors that it can't read", "Il disco sda (X) su pve1 ha 21 settori che non riesce a leggere"],
    ["/srv of web01 (VM 100) is 91 % full", "/srv di web01 (VM 100) è pieno al 91 %"],
    ["web01 (VM 100) stopped on pve3 and nobody asked it to", "web01 (VM 100) si è fermato su pve3 e nessuno l'ha chiesto"],
    ["Alert Storage filling: Storage nfs1 is 91 % full", "Allarme Storage che si riempie: Lo storage nfs1 è pieno al 91 %"],
    [
      "Alert Guest stopped by itself: web01 (VM 100) stopped on pve3 and nobody asked it to",
      "Allarme Guest fermatosi da sé: web01 (VM 100) si è fermato su pve3 e nessuno l'ha chiesto",
    ],
    ["The agent of pve2 is away: what only it sees is unknown", "L'agente di pve2 è assente: ciò che vede solo lui non è noto"],
    ["Over, Node down: Node down, pve2: online again", "Finito, Nodo spento: Nodo spento, pve2: di nuovo online"],
    [
      "Over, ZFS pool filling: ZFS pool filling, tank on pve1: 79 % again, worst 91 %",
      "Finito, Pool ZFS che si riempie: Pool ZFS che si riempie, tank on pve1: di nuovo 79 %, al peggio 91 %",
    ],
    ["Follows from: Node pve2 is offline, say the other members", "Segue da: Il nodo pve2 è offline, dicono gli altri membri"],
    ["97 % is above the trigger (trigger 95 %, clear 92 %)", "97 % è sopra la soglia (scatta a 95 %, finisce a 92 %)"],
    [
      "The backup is good: it restores and boots; its bytes were not checked",
      "Il backup è buono: si ripristina e si avvia; i suoi byte non sono stati controllati",
    ],
    ["web01 (VM 100) is locked by a backup", "web01 (VM 100) è bloccato da un backup"],
    ["pve3 is in HA maintenance", "pve3 è in manutenzione HA"],
    ["VM 100 (web01) stopped on pve3", "VM 100 (web01) si è fermato su pve3"],
    ["A sentence of a rule of one's own", "A sentence of a rule of one's own"],
    ["{name} of {value} $& (x", "{name} of {value} $& (x"],
  ];
  assert.deepEqual(
    cases.map(([english]) => [english, t(english)]),
    cases,
  );
});

test("every event there is can be told in Italian", () => {
  const t = withSentences(translator(italian), italianSentences);
  const pve = /^Proxmox VE: /; // Proxmox VE's own words
  const english = Object.entries(eventTypes).flatMap(([type, { text }]) =>
    eventFacts
      .map((facts) =>
        (text as (facts: object) => string)(new Proxy(facts, { get: (of, key) => Reflect.get(of, key) ?? String(key) })),
      )
      .filter((said) => !pve.test(said) && t(said) === said)
      .map((said) => `${type}: ${said}`),
  );
  assert.deepEqual(english, []);
});

test("the language is the user's choice, else PVE's, else the browser's", () => {
  assert.equal(preferredLanguage("en", "PVELangCookie=it", "it-IT"), "en");
  assert.equal(preferredLanguage(null, "a=b; PVELangCookie=it", "en-GB"), "it");
  assert.equal(preferredLanguage(null, "", "it-IT"), "it");
  assert.equal(preferredLanguage(null, "", "de-DE"), "en");
});

test("the theme is the user's choice, else PVE's page or cookie, else the system's", () => {
  const page = { panelBackground: "", cookie: "", systemDark: false };
  assert.equal(themeOf("light", { ...page, systemDark: true }), "light");
  assert.equal(themeOf("auto", { ...page, panelBackground: "#262626" }), "dark");
  assert.equal(themeOf("auto", { ...page, cookie: "x=1; PVEThemeCookie=proxmox-dark" }), "dark");
  assert.equal(themeOf("auto", { ...page, cookie: "PVEThemeCookie=crisp", systemDark: true }), "light");
  assert.equal(themeOf("auto", { ...page, systemDark: true }), "dark");
});
