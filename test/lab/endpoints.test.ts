import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Endpoint, endpoints, matchEndpoint } from "./endpoints.ts";

type SchemaParam = {
  type?: string;
  optional?: number;
  enum?: string[];
  minimum?: number | string;
  maximum?: number | string;
  pattern?: string;
  format?: unknown;
};
type Check = ["perm", string, string[]] | ["or", ...Check[]];
type SchemaMethod = {
  parameters: { properties?: Record<string, SchemaParam> };
  permissions?: { user?: string; check?: Check };
  proxyto?: string;
};

const schemaFile = new URL("../../../shared/pve/api-schema.json", import.meta.url);

/** Everything in which the table's row and PVE's own declaration differ. */
function differences(endpoint: Endpoint, declared: SchemaMethod | undefined): string[] {
  const name = `${endpoint.method} ${endpoint.path}`;
  if (declared === undefined) return [`${name}: PVE has no such method`];
  const found: string[] = [];
  const differ = (what: string, ours: unknown, theirs: unknown) => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs))
      found.push(`${name}: ${what} ${JSON.stringify(ours)}, PVE ${JSON.stringify(theirs)}`);
  };
  const theirs = declared.parameters.properties ?? {};
  differ("parameters", Object.keys(endpoint.params).sort(), Object.keys(theirs).sort());
  for (const [param, rule] of Object.entries(endpoint.params)) {
    const other = theirs[param] ?? {};
    for (const key of ["type", "enum"] as const) differ(`${param} ${key}`, rule[key], other[key]);
    if (rule.pattern !== undefined) differ(`${param} pattern`, rule.pattern, other.pattern);
    // The schema writes a few bounds as text.
    for (const key of ["minimum", "maximum"] as const) {
      differ(`${param} ${key}`, rule[key], other[key] === undefined ? undefined : Number(other[key]));
    }
    differ(`${param} optional`, rule.optional === true, other.optional === 1);
    if (typeof other.format === "string") differ(`${param} format`, rule.format, other.format);
  }
  differ("local node only", endpoint.localNode, declared.proxyto === "node");
  differ("permission", ourPermission(endpoint), theirPermission(declared.permissions?.check));
  return found;
}

const plain = ({ path, privileges }: { path: string; privileges: readonly string[] }) => ({ path, privileges });

function ourPermission({ permission }: Endpoint): unknown {
  if (permission === "all" || permission === "world") return [];
  return "anyOf" in permission ? permission.anyOf.map(plain) : [plain(permission)];
}

function theirPermission(check: Check | undefined): unknown[] {
  if (check === undefined) return [];
  if (check[0] === "or") return (check.slice(1) as Check[]).flatMap(theirPermission);
  return [plain({ path: check[1] as string, privileges: check[2] as string[] })];
}

test("the endpoints of the lab are declared as Proxmox VE declares them", (context) => {
  if (!existsSync(schemaFile)) {
    context.diagnostic("PVE's API schema (../shared/pve/api-schema.json) is not here: the table is checked for itself only");
    assert.equal(new Set(endpoints.map(({ method, path }) => `${method} ${path}`)).size, endpoints.length);
    return;
  }
  const schema = JSON.parse(readFileSync(schemaFile, "utf8")) as Record<string, SchemaMethod>;
  const found = endpoints.flatMap((endpoint) => differences(endpoint, schema[`${endpoint.method} ${endpoint.path}`]));
  assert.deepEqual(found, []);
  context.diagnostic(`${endpoints.length} endpoints held against PVE's API schema`);
});

test("a path is matched with its variables, and only with its own method", () => {
  assert.deepEqual(matchEndpoint("GET", "/nodes/pve1/qemu/100/config")?.fromPath, { node: "pve1", vmid: "100" });
  assert.equal(matchEndpoint("POST", "/nodes/pve1/qemu/100/config"), undefined);
  assert.equal(matchEndpoint("GET", "/nodes/pve1/nosuch"), undefined);
});
