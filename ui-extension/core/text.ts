/** Values named in a text as `{name}`. */
export type TextValues = Readonly<Record<string, string | number>>;

/** Gives an English text in the user's language, its `{names}` filled in. An unknown text comes back in English. */
export type Translate = (english: string, values?: TextValues) => string;

/** `{name}` becomes its value; a name without a value stays visible, so that the fault is seen. */
function fillText(text: string, values: TextValues = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}

export const inEnglish: Translate = fillText;

/** Looks texts up in one catalogue of English keys. */
export function translator(catalogue: Readonly<Record<string, string>>): Translate {
  return (english, values) => fillText(Object.hasOwn(catalogue, english) ? (catalogue[english] ?? english) : english, values);
}

/** One of two texts by number, each with `{n}`: the rule of English and Italian. */
export function plural(t: Translate, n: number, one: string, many: string, values: TextValues = {}): string {
  return t(n === 1 ? one : many, { ...values, n });
}
