import * as z from "zod";

/** One setting of a configuration file. `path`: `gateway.port`; a table is no key of its own. */
export type SettingKey = {
  path: string;
  /** As TOML; undefined: there is no default, the key may be left out. */
  standard: string | undefined;
  /** `whole number from 0 to 65535`. */
  type: string;
};

type Json = {
  type?: string;
  properties?: Record<string, Json>;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Json[];
  items?: Json;
  minimum?: number;
  maximum?: number;
  format?: string;
  required?: string[];
  additionalProperties?: unknown;
};

/** All settings of a strict object schema, in its order. Tables without a default are in it too: their keys have to be known to be set. */
export function schemaKeys(schema: z.core.$ZodType): SettingKey[] {
  return keysOf(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Json, "");
}

function keysOf(table: Json, prefix: string): SettingKey[] {
  return Object.entries(table.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix + name;
    if (property.properties !== undefined) return keysOf(property, `${path}.`);
    return [{ path, standard: property.default === undefined ? undefined : toml(property.default), type: typeName(property) }];
  });
}

function typeName(property: Json): string {
  if (property.anyOf !== undefined) return [...new Set(property.anyOf.map(typeName))].join(" or ");
  if (property.const !== undefined) return JSON.stringify(property.const);
  if (property.enum !== undefined) return property.enum.map((value) => JSON.stringify(value)).join(", ");
  if (property.type === "boolean") return "true or false";
  if (property.type === "array") return `list of ${typeName(property.items ?? {})}`;
  if (property.type === "object") return "table";
  if (property.type !== "integer" && property.type !== "number") return "text";
  const { minimum, maximum } = property;
  const noun = property.type === "integer" ? "whole number" : "number";
  const bounded = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  if (bounded(minimum) && bounded(maximum)) return `${noun} from ${minimum} to ${maximum}`;
  if (bounded(minimum)) return `${noun}, at least ${minimum}`;
  return noun;
}

/** A default as TOML writes it. */
function toml(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  const pairs = Object.entries(value).map(([key, one]) => `${key} = ${toml(one)}`);
  return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
}
