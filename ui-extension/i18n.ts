import { withSentences } from "./core/sentences.ts";
import { inEnglish, plural, type TextValues, type Translate, translator } from "./core/text.ts";
import { italian } from "./i18n/italian.ts";
import { italianAgents } from "./i18n/italian-agents.ts";
import { italianAlerting } from "./i18n/italian-alerting.ts";
import { italianDecisions } from "./i18n/italian-decisions.ts";
import { italianEmbedded } from "./i18n/italian-embedded.ts";
import { italianEntities } from "./i18n/italian-entities.ts";
import { italianEvents } from "./i18n/italian-events.ts";
import { italianOverview } from "./i18n/italian-overview.ts";
import { italianPolicies } from "./i18n/italian-policies.ts";
import { italianProof } from "./i18n/italian-proof.ts";
import { italianRecovery } from "./i18n/italian-recovery.ts";
import { italianRules, italianSentences } from "./i18n/italian-rules.ts";
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
      ...italianRecovery,
      ...italianRules,
    }),
    { ...italianSentences, ...italianEvents, ...italianDecisions },
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
