import { decodeUtf8 } from "#protocol/utf8.ts";
import { MalformedError } from "#protocol/varint.ts";
import { hashBytes, type WordTable } from "./word-table.ts";

const quote = 0x22;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const openArray = 0x5b;
const backslash = 0x5c;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
const comma = 0x2c;
const colon = 0x3a;

/** Divisors of decimal fractions; a quotient of two integers below 2^53 is rounded correctly, as `Number` does. */
const powersOfTen = Float64Array.from({ length: 23 }, (_, power) => 10 ** power);

const literals = ["true", "false", "null"].map((word) => Uint8Array.from(word, (char) => char.charCodeAt(0)));
const escapes = new Set(Array.from('"\\/bfnrt', (char) => char.charCodeAt(0)));

const closing = (bracket: number) => (bracket === openObject ? closeObject : closeArray);
const isDigit = (byte: number) => byte >= zero && byte <= nine;
const isHexDigit = (byte: number) => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

/**
 * Walks JSON where it lies, byte by byte, and makes nothing but numbers of what is asked for: one cursor reads line after line. As strict as
 * JSON.parse; but where that takes the last of two equal keys, the caller sees both.
 */
export class JsonCursor {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private end = 0;
  /** The newest string: its bytes without the quotes. */
  private textStart = 0;
  private textEnd = 0;
  private textHash = 0;
  private textEscaped = false;
  private readonly open: number[] = [];

  /** Reads the first `length` bytes from now on. They must stay as they are meanwhile. */
  start(bytes: Uint8Array, length: number): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = length;
    this.open.length = 0;
  }

  /** Enters the object that comes next. False: something else came, and was skipped. */
  enter(): boolean {
    if (this.peek() !== openObject) {
      this.skip();
      return false;
    }
    this.at++;
    return true;
  }

  /** Goes to the object's next key, whose value must be taken then; false behind the last one. `first`: right after `enter`. */
  nextKey(first: boolean): boolean {
    let byte = this.peek();
    if (byte === closeObject) {
      this.at++;
      return false;
    }
    if (!first) {
      if (byte !== comma) this.fail();
      this.at++;
      byte = this.peek();
    }
    if (byte !== quote) this.fail();
    this.readString();
    if (this.peek() !== colon) this.fail();
    this.at++;
    return true;
  }

  /** Index of the newest key or text among `words`; −1: none of them. */
  word(words: WordTable): number {
    if (this.textEscaped) return words.indexOf(this.text());
    return words.find(this.bytes, this.textStart, this.textEnd, this.textHash);
  }

  /** The newest key or text. The same string again where `names` has it. */
  name(names: Names): string {
    if (this.textEscaped) return this.text();
    return names.get(this.bytes, this.textStart, this.textEnd, this.textHash);
  }

  /** Takes the value. True: it was a string that is not empty, for `word` and `name`. */
  takeText(): boolean {
    if (this.peek() !== quote) {
      this.skip();
      return false;
    }
    this.readString();
    return this.textEnd > this.textStart;
  }

  /** Takes the value: a number, or a string that is one, as asNumber in values.ts reads them; else NaN. */
  takeNumber(): number {
    const byte = this.peek();
    if (byte === minus || isDigit(byte)) return this.readNumber();
    if (byte === quote) {
      this.readString();
      return this.numberOfText();
    }
    this.skip();
    return Number.NaN;
  }

  /** Takes the value: `1`, `"1"` or `true`, as asFlag in values.ts reads them. */
  takeFlag(): boolean {
    const byte = this.peek();
    if (byte === 0x74) {
      this.skip();
      return true;
    }
    if (byte !== quote) return this.takeNumber() === 1;
    this.readString();
    return this.textEscaped ? this.text() === "1" : this.textEnd - this.textStart === 1 && this.bytes[this.textStart] === 0x31;
  }

  /** Takes the value, whatever it is. */
  skip(): void {
    const { open } = this;
    const depth = open.length;
    do {
      if (!this.opens()) while (open.length > depth && this.closes());
    } while (open.length > depth);
  }

  /** Throws unless nothing but blanks is left. */
  finish(): void {
    if (this.peek() !== -1) this.fail();
  }

  /** Takes a scalar or an empty bracket. True: it was a bracket with something in it, whose first value comes next. */
  private opens(): boolean {
    const byte = this.peek();
    if (byte === quote) this.readString();
    else if (byte === minus || isDigit(byte)) this.readNumber();
    else if (byte === openObject || byte === openArray) {
      this.at++;
      if (this.peek() !== closing(byte)) {
        this.open.push(byte);
        if (byte === openObject) this.nextKey(true);
        return true;
      }
      this.at++;
    } else this.readLiteral();
    return false;
  }

  /** Behind a value in an open bracket: true when it was the last one. Else the next value comes. */
  private closes(): boolean {
    const { open } = this;
    const bracket = open[open.length - 1] as number;
    const byte = this.peek();
    if (byte === closing(bracket)) {
      this.at++;
      open.pop();
      return true;
    }
    if (bracket === openObject) this.nextKey(false);
    else if (byte === comma) this.at++;
    else this.fail();
    return false;
  }

  /** The next byte that is not blank; −1 at the end. */
  private peek(): number {
    const { bytes, end } = this;
    let { at } = this;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  private readString(): void {
    const { bytes, end } = this;
    let at = this.at + 1;
    let hash = 0;
    this.textStart = at;
    this.textEscaped = false;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) {
        this.textEnd = at;
        this.textHash = hash;
        this.at = at + 1;
        return;
      }
      if (byte === backslash) at = this.skipEscape(at);
      else if (byte < 0x20) break;
      hash = hashBytes(hash, byte);
    }
    this.fail();
  }

  /** From the backslash to the escape's last byte. */
  private skipEscape(at: number): number {
    this.textEscaped = true;
    const kind = at + 1 < this.end ? (this.bytes[at + 1] as number) : -1;
    if (escapes.has(kind)) return at + 1;
    if (kind !== 0x75 || at + 5 >= this.end) this.fail();
    for (let digit = at + 2; digit < at + 6; digit++) if (!isHexDigit(this.bytes[digit] as number)) this.fail();
    return at + 5;
  }

  private readNumber(): number {
    const { bytes, end } = this;
    const start = this.at;
    let at = start;
    const negative = bytes[at] === minus;
    if (negative) at++;
    const firstDigit = at;
    let value = 0;
    let byte = at < end ? (bytes[at] as number) : 0;
    for (; isDigit(byte); byte = ++at < end ? (bytes[at] as number) : 0) value = value * 10 + (byte - zero);
    if (at === firstDigit || (bytes[firstDigit] === zero && at > firstDigit + 1)) this.fail();
    let decimals = 0;
    if (byte === dot) {
      const point = at;
      byte = ++at < end ? (bytes[at] as number) : 0;
      for (; isDigit(byte); byte = ++at < end ? (bytes[at] as number) : 0) value = value * 10 + (byte - zero);
      decimals = at - point - 1;
      if (decimals === 0) this.fail();
    }
    this.at = at;
    if ((byte | 0x20) === 0x65) return this.readExponent(start);
    if (value > Number.MAX_SAFE_INTEGER || decimals > 22) return Number(this.ascii(start, at));
    const number = decimals === 0 ? value : value / (powersOfTen[decimals] as number);
    return negative ? -number : number;
  }

  private readExponent(start: number): number {
    const { bytes, end } = this;
    let at = this.at + 1;
    if (at < end && (bytes[at] === 0x2b || bytes[at] === minus)) at++;
    const digits = at;
    while (at < end && isDigit(bytes[at] as number)) at++;
    if (at === digits) this.fail();
    this.at = at;
    return Number(this.ascii(start, at));
  }

  private numberOfText(): number {
    const { bytes, textStart, textEnd } = this;
    if (textStart === textEnd) return Number.NaN;
    let value = 0;
    let point = -1;
    for (let at = textStart; at < textEnd; at++) {
      const byte = bytes[at] as number;
      if (isDigit(byte)) value = value * 10 + (byte - zero);
      else if (byte === dot && point < 0 && at > textStart) point = at;
      else return Number(this.text());
    }
    const decimals = point < 0 ? 0 : textEnd - point - 1;
    if (value > Number.MAX_SAFE_INTEGER || decimals > 22) return Number(this.text());
    return decimals === 0 ? value : value / (powersOfTen[decimals] as number);
  }

  private readLiteral(): void {
    for (const literal of literals) {
      if (this.bytes[this.at] !== literal[0]) continue;
      if (this.at + literal.length > this.end) break;
      for (let i = 0; i < literal.length; i++) if (this.bytes[this.at + i] !== literal[i]) this.fail();
      this.at += literal.length;
      return;
    }
    this.fail();
  }

  private ascii(start: number, end: number): string {
    let text = "";
    for (let at = start; at < end; at++) text += String.fromCharCode(this.bytes[at] as number);
    return text;
  }

  private text(): string {
    const inner = decodeText(this.bytes.subarray(this.textStart, this.textEnd));
    return this.textEscaped ? (JSON.parse(`"${inner}"`) as string) : inner;
  }

  private fail(): never {
    throw new MalformedError(`not JSON at byte ${this.at}`);
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new MalformedError("not UTF-8", { cause });
  }
}

/** Strings that were made before: the same bytes give the same string, and nothing new is made of them. */
export class Names {
  private readonly known = new Map<number, string>();

  constructor(private readonly max = 8192) {}

  get(bytes: Uint8Array, start: number, end: number, hash: number): string {
    const known = this.known.get(hash);
    if (known !== undefined && isAscii(known, bytes, start, end)) return known;
    const made = decodeText(bytes.subarray(start, end));
    if (this.known.size >= this.max) this.known.clear();
    this.known.set(hash, made);
    return made;
  }
}

function isAscii(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
