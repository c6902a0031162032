import type { TestContext } from "node:test";
import type { Scope } from "#protocol/api.ts";
import { errorSchema } from "#protocol/api.ts";
import { createApp } from "../../../hub/http/app.ts";
import { writes } from "../api-writes.ts";
import { fc } from "../property.ts";
import { TestGateway } from "../pve-users.ts";
import { seenHub } from "../seen-hub.ts";
import { allowed, anyJson, bent, type JsonSchema, knownWords, oddTexts } from "./values.ts";

/** The hub's API, asked what its own document allows and what it doesn't. */

type Parameter = { name: string; in: "path" | "query" | "header"; required?: boolean; schema: JsonSchema };
export type Operation = { method: string; path: string; parameters: Parameter[]; body: JsonSchema | undefined };
type Document = { paths: Record<string, Record<string, { parameters?: Parameter[]; requestBody?: Body }>> };
type Body = { content: Record<string, { schema: JsonSchema }> };

const roles = ["all scopes", "read", "ingest", "root@pam", "bob@pve", "nobody", "a wrong key", "a cookie"] as const;
type Role = (typeof roles)[number];
export type Case = {
  role: Role;
  path: string;
  headers: Record<string, string>;
  body: { kind: "none" } | { kind: "json"; value: unknown } | { kind: "raw"; text: string };
};

function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => {
      const body = requestBody?.content["application/json"]?.schema;
      return { method: method.toUpperCase(), path, parameters, body };
    }),
  );
}

const oddSegments = [
  "..",
  "%2e%2e%2f",
  "%",
  "%00",
  "%E0%A4%A",
  "a%2fb",
  "%0d%0aX-Header:%20b",
  "\\",
  "*",
  "a".repeat(5000),
  "__proto__",
  "💥",
];

function pathOf({ path, parameters }: Operation): fc.Arbitrary<string> {
  const names = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name as string);
  const values = names.map((name) => {
    const schema = parameters.find((parameter) => parameter.in === "path" && parameter.name === name)?.schema ?? {
      type: "string",
    };
    const known = fc.constantFrom(...knownWords).map(encodeURIComponent);
    const fitting = allowed(schema).map((value) => encodeURIComponent(wellFormed(String(value)) || "x"));
    return fc.oneof(
      { weight: 3, arbitrary: known },
      { weight: 3, arbitrary: fitting },
      { weight: 1, arbitrary: fc.constantFrom(...oddSegments) },
    );
  });
  const query = fc.oneof({ weight: 3, arbitrary: allowedQuery(parameters) }, { weight: 1, arbitrary: oddQuery(parameters) });
  return fc.tuple(fc.tuple(...values), query).map(([segments, asked]) => {
    let at = 0;
    const filled = path.replace(/\{[a-z]+\}/g, () => segments[at++] ?? "");
    return asked === "" ? filled : `${filled}?${asked}`;
  });
}

function allowedQuery(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const ofQuery = parameters.filter((parameter) => parameter.in === "query");
  const values = Object.fromEntries(ofQuery.map(({ name, schema }) => [name, allowed(schema)]));
  const requiredKeys = ofQuery.filter(({ required }) => required === true).map(({ name }) => name);
  return fc.record(values, { requiredKeys }).map((chosen) =>
    Object.entries(chosen)
      .map(([name, value]) => `${name}=${encodeURIComponent(wellFormed(String(value)))}`)
      .join("&"),
  );
}

function oddQuery(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const names = parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name);
  const name = fc.constantFrom(...names, "__proto__", "limit", "unheard");
  const value = fc.oneof(
    fc.constantFrom(...oddSegments, "1", "-1", "1e309", "NaN", ""),
    fc.constantFrom(...oddTexts.slice(0, 40)).map((text) => encodeURIComponent(wellFormed(text))),
  );
  return fc.array(fc.tuple(name, value), { maxLength: 4 }).map((pairs) => pairs.map(([key, text]) => `${key}=${text}`).join("&"));
}

const wellFormed = (text: string) => text.replace(/\p{Cs}/gu, "\ufffd");

const headersOf: fc.Arbitrary<Record<string, string>> = fc.record(
  {
    "Content-Type": fc.constantFrom(
      "application/json",
      "application/json; charset=utf-16",
      "text/plain",
      "multipart/form-data",
      "application/x-www-form-urlencoded",
      "image/png, application/json",
      "\u00e9",
    ),
    "Content-Encoding": fc.constantFrom("gzip", "br", "nonsense"),
    Accept: fc.constantFrom(
      "*/*",
      "application/octet-stream",
      "text/html;q=nonsense",
      "application/vnd.proven.columns",
      ",".repeat(3000),
    ),
    "Accept-Language": fc.constantFrom("it", "de-DE,de;q=0.9,*;q=0", ";".repeat(2000)),
    "If-None-Match": fc.constantFrom("*", '"', 'W/"a", "b"'),
    "Last-Event-ID": fc.constantFrom("-1", "nonsense"),
    Origin: fc.constantFrom("https://hub.lan", "https://evil.example", "null", "nonsense"),
    "Sec-Fetch-Site": fc.constantFrom("same-origin", "cross-site"),
    Cookie: fc.constantFrom("a=b; __proto__=c", "%".repeat(500), "=", ";;;"),
    "X-Forwarded-For": fc.constant("127.0.0.1"),
    "proven-assertion": fc.constantFrom("", ".", "e30.e30", "a".repeat(9000), "eyJfX3Byb3RvX18iOjF9.AAAA"),
  },
  { requiredKeys: [] },
);

type Bodies = fc.Arbitrary<Case["body"]>;
const none: Case["body"] = { kind: "none" };
const noJson = ["{", "[".repeat(20_000), "\0", ""].map((text): Case["body"] => ({ kind: "raw", text }));

function bodyOf({ method, path, body }: Operation): Bodies {
  if (method === "GET") return fc.constant(none);
  const json = (values: fc.Arbitrary<unknown>): Bodies => values.map((value) => ({ kind: "json", value }));
  const fitting = body === undefined ? fc.constant<unknown>({}) : allowed(body);
  // One that the hub takes, so that what is wrong is deep in it.
  const taken = writes.find(({ operation }) => operation === `${method} ${path}`)?.body ?? {};
  return fc.oneof(
    { weight: 3, arbitrary: json(fitting) },
    { weight: 2, arbitrary: json(fitting.chain(bent)) },
    { weight: 5, arbitrary: json(bent(taken)) },
    { weight: 1, arbitrary: json(anyJson) },
    { weight: 1, arbitrary: fc.constantFrom(none, ...noJson) },
  );
}

function caseOf(operation: Operation): fc.Arbitrary<Case> {
  return fc.record({
    role: fc.oneof(
      { weight: 5, arbitrary: fc.constant<Role>("all scopes") },
      { weight: 2, arbitrary: fc.constantFrom(...roles) },
    ),
    path: pathOf(operation),
    headers: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headersOf }),
    body: bodyOf(operation),
  });
}

const keyScopes: Partial<Record<Role, Scope[]>> = {
  "all scopes": ["read", "write", "admin", "ingest"],
  read: ["read"],
  ingest: ["ingest"],
  "a cookie": ["read", "write", "admin"],
};

/** A hub with guests, samples, alerts and history, and somebody of each role. */
export async function openApi(t: Pick<TestContext, "after">) {
  const seen = seenHub(t as TestContext);
  const { hub } = seen;
  const app = createApp({ ...hub.httpPorts, log: (_, line) => hub.lines.push(line) });
  const gateway = new TestGateway({ app, state: hub.state, now: () => hub.clock.now() });
  const keys = new Map(Object.entries(keyScopes).map(([role, scopes]) => [role, hub.newKey(...scopes)]));
  const cookieKey = keys.get("a cookie") ?? "";
  const signedIn = await app.request("https://hub.lan/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key: cookieKey }),
  });
  const cookie = (signedIn.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
  const document = await app.request("https://hub.lan/api/v1/openapi.json", {
    headers: { Authorization: `Bearer ${keys.get("read")}` },
  });
  const operations = operationsOf((await document.json()) as Document);

  const identity = (role: Role): Record<string, string> => {
    if (role === "nobody") return {};
    if (role === "a wrong key") return { Authorization: "Bearer pvn_000000000000_" };
    if (role === "a cookie") return { Cookie: cookie, "X-Proven": "1" };
    return { Authorization: `Bearer ${keys.get(role)}` };
  };

  async function send({ method }: Operation, { role, path, headers, body }: Case): Promise<Response> {
    // The limits of requests and of wrong keys are not what is tried here.
    await hub.clock.advance(7_000);
    if ((role === "root@pam" || role === "bob@pve") && body.kind !== "raw")
      return gateway.ask(role, method, path, body.kind === "json" ? body.value : undefined);
    const text = body.kind === "json" ? JSON.stringify(body.value) : body.kind === "raw" ? body.text : undefined;
    const all = { ...(text === undefined ? {} : { "Content-Type": "application/json" }), ...headers, ...identity(role) };
    return app.request(`https://hub.lan${path}`, { method, headers: all, ...(text === undefined ? {} : { body: text }) });
  }
  return { hub, app, operations, send };
}

/** What is wrong with an answer; undefined: nothing. */
async function problemOf(operation: Operation, { body }: Case, response: Response): Promise<string | undefined> {
  const { status } = response;
  if (status < 400) {
    await response.body?.cancel();
    return undefined;
  }
  const text = await response.text();
  if (text === "the gateway") return undefined; // what a gateway answers itself
  if (status >= 500 && status !== 503) return `${status} ${text}`;
  if (/node:internal|\.ts:\d+|\bat [A-Za-z.]+ \(/.test(text)) return `${status} tells of the hub's inside: ${text}`;
  const parsed = errorSchema.safeParse(jsonOf(text));
  if (!parsed.success) return `${status} isn't our error: ${text.slice(0, 200)}`;
  const { field, code, message } = parsed.data.error;
  if (message === "" || message.length > 2_000) return `${status} has a message of ${message.length} characters`;
  const isObject = body.kind === "json" && typeof body.value === "object" && body.value !== null && !Array.isArray(body.value);
  const wantsField = status === 400 && code === "invalid" && isObject && operation.body !== undefined;
  return wantsField && field === undefined ? `400 names no field: ${text}` : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Requests to one operation. */
export const propertyOf = (api: Awaited<ReturnType<typeof openApi>>, operation: Operation) =>
  fc.asyncProperty(caseOf(operation), async (one) => {
    const problem = await problemOf(operation, one, await api.send(operation, one));
    if (problem !== undefined) throw new Error(`${operation.method} ${one.path}: ${problem}`);
  });
