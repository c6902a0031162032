import { fc } from "../property.ts";

/** Values for fuzzing: what a JSON schema allows, and what it doesn't. */

export type JsonSchema = {
  type?: string | string[];
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  pattern?: string;
  format?: string;
};

/** Words that name something in the hub that is asked, so that requests get beyond "there is no such thing". */
export const knownWords = [
  ...["guest/100", "guest/101", "node/pve1", "storage/pve1/local-zfs", "00000000000000aa", "pve1", "100", "cpu", "status"],
  ...["busy", "fuzz", "web", "prod", "tag", "daily", "Europe/Rome", "tag=prod and not name=a*", "mon..fri 02:00", "{title}"],
];

/** Text that somebody once forgot to think of. */
export const oddTexts = [
  ...["", " ", "\0", "\n<3>forged", "a\r\nX-Header: b", "\u001b[2J", "\u009b31m", "\u202ereversed", "\ud800", "💥".repeat(40)],
  ...["../../etc/passwd", "..%2f..%2fetc", "%", "%00", "%E0%A4%A", "C:\\con", "<script>alert(1)</script>", "'; drop table--"],
  ...["$\u007b7*7}", "{{7*7}}", "{#alerts}", "{/alerts}", "*".repeat(60), "a*".repeat(60), "(".repeat(200), "not ".repeat(200)],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "NaN", "Infinity", "-0", "1e309", "0x10", "٣"],
  ...["9007199254740993", "-1", "1.5", "null", "undefined", "[object Object]", "a".repeat(70_000)],
];

const oddNumbers = [
  0,
  -0,
  -1,
  0.5,
  1e21,
  -1e21,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_VALUE,
  8.64e15,
  8.64e15 + 1,
];

/** Any JSON, with keys that are something else in JavaScript. */
export const anyJson: fc.Arbitrary<unknown> = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom<unknown>(null, true, false, ...oddTexts.slice(0, 20), ...oddNumbers),
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie("json"), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom("__proto__", "constructor", "id", "length"), fc.string()), tie("json")), {
        maxLength: 3,
      })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).json;

/** A value that the schema allows; times and sizes come in all orders. */
export function allowed(schema: JsonSchema): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(allowed));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type) => allowed({ ...schema, type })));
  switch (schema.type) {
    case "string":
      return allowedText(schema);
    case "integer":
      return numbers(schema).map(Math.trunc);
    case "number":
      return numbers(schema);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const least = schema.minItems ?? 0;
      return fc.array(allowed(schema.items ?? {}), { minLength: least, maxLength: Math.min(schema.maxItems ?? 3, least + 3) });
    }
    case "object":
      return allowedObject(schema);
    default:
      return anyJson;
  }
}

function allowedText({ minLength = 0, maxLength = 100, pattern, format }: JsonSchema): fc.Arbitrary<string> {
  if (format === "uuid") return fc.uuid();
  // Addresses that are refused or answer nothing: no fuzzing leaves the machine.
  if (format === "uri")
    return fc.constantFrom("https://127.0.0.1:9/x", "http://[::1]:9/", "https://169.254.169.254/", "https://10.0.0.1/");
  if (pattern !== undefined) {
    const regex = new RegExp(pattern);
    const words = knownWords.filter((word) => regex.test(word));
    return fc.oneof(fc.stringMatching(regex, { maxLength }), ...(words.length > 0 ? [fc.constantFrom(...words)] : []));
  }
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength;
  const words = [...knownWords, ...oddTexts].filter(fits);
  const free = fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)), unit: "binary" }).filter(fits);
  return words.length === 0
    ? free
    : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: free });
}

function numbers({ minimum, maximum, exclusiveMinimum }: JsonSchema): fc.Arbitrary<number> {
  const min = Math.max(
    minimum ?? -Number.MAX_SAFE_INTEGER,
    exclusiveMinimum === undefined ? -Number.MAX_VALUE : exclusiveMinimum + 1,
  );
  const max = maximum ?? Number.MAX_SAFE_INTEGER;
  const near = [min, max, 0, 1, 60, 3_600_000, 1_795_000_000_000].filter((value) => value >= min && value <= max);
  const between = fc.double({ min, max, noNaN: true });
  return fc.oneof(fc.constantFrom(...near), between);
}

function allowedObject({ properties = {}, required = [], additionalProperties }: JsonSchema): fc.Arbitrary<unknown> {
  const own = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, allowed(schema)]));
  const record = fc.record(own, { requiredKeys: required.filter((name) => name in own) });
  if (typeof additionalProperties !== "object" || additionalProperties === null) return record;
  const more = fc.dictionary(fc.constantFrom("a", "url", "token", "__proto__", ...knownWords), allowed(additionalProperties), {
    maxKeys: 2,
  });
  return fc.tuple(record, more).map(([known, others]) => ({ ...others, ...(known as object) }));
}

/** The same value with one thing in it changed, left out, doubled or put where it doesn't belong. */
export function bent(value: unknown): fc.Arbitrary<unknown> {
  const places = placesOf(value);
  const odd = fc.oneof(
    fc.constantFrom<unknown>(...oddTexts, ...oddNumbers, null, true, [], {}, [[]], { __proto__: null }),
    anyJson,
  );
  return fc
    .record({ place: fc.constantFrom(...places), what: fc.constantFrom("replace", "remove", "wrap", "pollute"), odd })
    .map(({ place, what, odd }) => changeAt(value, place, (old) => changed(old, what, odd)))
    .map((result) => (result === gone ? null : result));
}

const gone = Symbol("gone");

function changed(old: unknown, what: string, odd: unknown): unknown {
  if (what === "remove") return gone;
  if (what === "wrap") return [old];
  const isObject = typeof old === "object" && old !== null && !Array.isArray(old);
  // As JSON.parse() makes it: an own property of that name.
  if (what === "pollute" && isObject)
    return JSON.parse(`{"__proto__":{"polluted":1},${JSON.stringify(old).slice(1)}`.replace(",}", "}"));
  return odd;
}

function placesOf(value: unknown): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [[]];
  const below = Object.entries(value).flatMap(([key, item]) =>
    placesOf(item).map((rest) => [Array.isArray(value) ? Number(key) : key, ...rest]),
  );
  return [[], ...below];
}

function changeAt(value: unknown, [key, ...rest]: readonly (string | number)[], change: (old: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => {
      const next = index === key ? changeAt(item, rest, change) : item;
      return next === gone ? [] : [next];
    });
  }
  const entries = Object.entries(value as object).map(([name, item]): [string, unknown] => [
    name,
    name === key ? changeAt(item, rest, change) : item,
  ]);
  return Object.fromEntries(entries.filter(([, item]) => item !== gone));
}

/** A text with bytes of it cut off, doubled, swapped for odd ones or for those of another place. */
export function bentText(text: string): fc.Arbitrary<string> {
  const at = fc.nat(text.length);
  const put = fc.oneof(
    fc.constantFrom(...oddTexts),
    fc.string({ unit: "binary", maxLength: 12 }),
    at.map((from) => text.slice(from, from + 200)),
  );
  const one = fc.record({ at, drop: fc.oneof(fc.constant(0), fc.nat(40), fc.constant(text.length)), put });
  return fc
    .array(one, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((now, { at, drop, put }) => now.slice(0, at) + put + now.slice(at + drop), text));
}

/** The same of bytes. */
export function bentBytes(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(bytes.length);
  const put = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom(new Uint8Array(8).fill(255), new Uint8Array(40), Uint8Array.of(128, 128, 128, 128)),
  );
  const one = fc.record({ at, drop: fc.oneof(fc.constant(0), fc.nat(40), fc.constant(bytes.length)), put });
  return fc
    .array(one, { minLength: 1, maxLength: 3 })
    .map((changes) =>
      changes.reduce<Uint8Array>(
        (now, { at, drop, put }) => Uint8Array.of(...now.subarray(0, at), ...put, ...now.subarray(at + drop)),
        bytes,
      ),
    );
}
