import type { Translate } from "./text.ts";

type Sentence = { pattern: RegExp; names: readonly string[]; other: string; fixed: number };

/** Texts that were looked up are remembered: an alert's sentence is drawn every second. */
const remembered = 1000;

/** Values that are words themselves: an event tells the sentence of its alert. */
const spoken: ReadonlySet<string> = new Set(["rule", "text"]);

const tellsAnother = ({ names }: Sentence) => names.includes("text");

const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** `{value:sector|sectors}` stands for two sentences: of one, and of several. */
function countsOf([english, other]: [string, string]): [string, string][] {
  const choice = /\{(\w+):([^{}|]*)\|([^{}|]*)\}/g;
  if (!choice.test(english)) return [[english, other]];
  return [
    [english.replace(choice, "1 $2"), other.replace(choice, "1 $2")],
    [english.replace(choice, "{$1} $3"), other.replace(choice, "{$1} $3")],
  ];
}

function sentenceOf([english, other]: [string, string]): Sentence {
  const names = [...english.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const pattern = english
    .split(/\{\w+\}/)
    .map(quoted)
    .join("(.+?)");
  return { pattern: new RegExp(`^${pattern}$`, "s"), names, other, fixed: english.replace(/\{\w+\}/g, "").length };
}

/**
 * Also gives sentences in another language that somebody has already filled in: what the hub says of an alert comes as a whole. `sentences`: by the
 * English one, with its `{names}`. Of several that fit, one that tells another counts, as that one's words are in it too; else the one with most words
 * of its own. What fits none stays as it is.
 */
export function withSentences(t: Translate, sentences: Readonly<Record<string, string>>): Translate {
  const all = Object.entries(sentences)
    .flatMap(countsOf)
    .map(sentenceOf)
    .sort((a, b) => Number(tellsAnother(b)) - Number(tellsAnother(a)) || b.fixed - a.fixed);
  const known = new Map<string, string>();
  const find = (text: string): string => {
    for (const { pattern, names, other } of all) {
      const found = pattern.exec(text);
      if (found !== null)
        return other.replace(/\{(\w+)\}/g, (_, name: string) => {
          const value = found[names.indexOf(name) + 1] ?? "";
          return spoken.has(name) ? whole(value) : name === "value" ? t(value) : value;
        });
    }
    return text;
  };
  const whole: Translate = (english, values) => {
    const text = t(english, values);
    if (values !== undefined || text !== english) return text;
    const before = known.get(text);
    if (before !== undefined) return before;
    if (known.size >= remembered) known.clear();
    const other = find(text);
    known.set(text, other);
    return other;
  };
  return whole;
}
