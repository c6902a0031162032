import { italian } from "./catalogue-it.ts";
import { italianAgents } from "./catalogue-it-agents.ts";
import { italianAlerting } from "./catalogue-it-alerting.ts";
import { italianEmbedded } from "./catalogue-it-embedded.ts";
import { italianEntities } from "./catalogue-it-entities.ts";
import { italianOverview } from "./catalogue-it-overview.ts";
import { italianPolicies } from "./catalogue-it-policies.ts";
import { italianProof } from "./catalogue-it-proof.ts";
import { italianRules, italianSentences } from "./catalogue-it-rules.ts";
import { withSentences } from "./core/sentences.ts";
import { inEnglish, plural, type TextValues, type Translate, translator } from "./core/text.ts";
import { Observable } from "./observable.ts";

export const languages = { en: "English", it: "Italiano" } as const;
export type Language = keyof typeof languages;

const translators: Record<Language, Translate> = {
  en: inEnglish,
  it: withSentences(
    translator({
      ...italian,
      ...italianAgents,
      ...italianAlerting,
      ...italianEmbedded,
      ...italianEntities,
      ...italianOverview,
      ...italianProof,
      ...italianPolicies,
      ...italianRules,
    }),
    italianSentences,
  ),
};

/** Elements are made anew when it changes (proven-app). */
export const language = new Observable<Language>("en");

/** The user's language: chosen here, else PVE's cookie, else the browser's. */
export function preferredLanguage(chosen: string | null, cookie: string, browser: string): Language {
  const pve = /(?:^|;\s*)PVELangCookie=([a-zA-Z_]+)/.exec(cookie)?.[1];
  const wanted = (chosen ?? pve ?? browser).slice(0, 2).toLowerCase();
  return wanted === "it" ? "it" : "en";
}

/** Gettext-like: English in, the user's language out. */
export const t: Translate = (english, values) => translators[language.value](english, values);

/** Ngettext-like; both texts hold `{n}`. */
export const tn = (n: number, one: string, many: string, values: TextValues = {}) => plural(t, n, one, many, values);

export const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
