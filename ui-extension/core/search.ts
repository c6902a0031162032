import { byText } from "./sort.ts";

/** Something that can be found. `words` are looked in beside the title; `weight` puts pages before things of an equal name. */
export type Findable = { key: string; title: string; words: string };
export type Found<T> = { item: T; score: number };

/** The best `limit` of what has all words of the question, in any order; each word may leave letters out (`wb1` finds `web01`). */
export function search<T extends Findable>(items: readonly T[], question: string, limit: number): T[] {
  const words = question.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found: Found<T>[] = [];
  for (const item of items) {
    const score = scoreOf(item, words);
    if (score > 0) found.push({ item, score });
  }
  found.sort((a, b) => b.score - a.score || a.item.title.length - b.item.title.length || byText(a.item.key, b.item.key));
  return found.slice(0, limit).map(({ item }) => item);
}

/** 0: a word is nowhere. */
function scoreOf({ title, words }: Findable, asked: readonly string[]): number {
  const [head, rest] = [title.toLowerCase(), words.toLowerCase()];
  let sum = 0;
  for (const word of asked) {
    const score = Math.max(matchScore(head, word) * 2, matchScore(rest, word));
    if (score === 0) return 0;
    sum += score;
  }
  return sum;
}

/** How well a word fits a text: whole beats a word's beginning beats inside beats letters in order; 0: not at all. */
function matchScore(text: string, word: string): number {
  if (text === word) return 100;
  const at = text.indexOf(word);
  // Of equal ones the shorter title comes first: `100 web01` before what an alert says of it.
  if (at >= 0) return isWordStart(text, at) || startsWord(text, word) ? 60 : 40;
  return letterScore(text, word);
}

const startsWord = (text: string, word: string) => text.split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(word));
const isWordStart = (text: string, at: number) => /[^\p{L}\p{N}]/u.test(text[at - 1] ?? " ");

/** Letters in order with gaps, close together and from a word's beginning; below 30. One letter alone is no match. */
function letterScore(text: string, word: string): number {
  if (word.length < 2) return 0;
  let at = -1;
  let gaps = 0;
  let first = -1;
  for (const letter of word) {
    const next = text.indexOf(letter, at + 1);
    if (next < 0) return 0;
    if (first < 0) first = next;
    else gaps += next - at - 1;
    at = next;
  }
  if (gaps > word.length * 2) return 0;
  return Math.max(1, 28 - gaps * 3 - (isWordStart(text, first) ? 0 : 8));
}
