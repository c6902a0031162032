import type { Endpoint, ParamRule } from "./endpoints.ts";

/** Parameters after the check: integers and booleans are numbers, as Perl would use them. */
export type Params = Readonly<Record<string, string | number | string[]>>;

type Checked = { ok: true; params: Params } | { ok: false; errors: Record<string, string> };

const formats: Record<string, { pattern: RegExp; problem: (value: string) => string }> = {
  "pve-node": {
    pattern: /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/,
    problem: () => "invalid format - value does not look like a valid node name\n",
  },
  "pve-vmid": { pattern: /^[1-9][0-9]{2,8}$/, problem: () => "invalid format - value does not look like a valid VM ID\n" },
  "pve-storage-id": {
    pattern: /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i,
    problem: (value) => `invalid format - storage ID '${value}' contains illegal characters\n`,
  },
  "pve-vmid-list": {
    pattern: /^[1-9][0-9]{2,8}([,; ]+[1-9][0-9]{2,8})*$/,
    problem: () => "invalid format - value does not look like a valid VM ID\n",
  },
  "pve-tag-list": {
    pattern: /^([a-z0-9_][a-z0-9_\-+.]*([,; ]+[a-z0-9_][a-z0-9_\-+.]*)*)?$/i,
    problem: () => "invalid format - invalid characters in tag\n",
  },
  "pve-volume-id": {
    pattern: /^[a-z][a-z0-9\-_.]*[a-z0-9]:.+$/i,
    problem: (value) => `invalid format - unable to parse volume ID '${value}'\n`,
  },
  "pve-startup-order": {
    pattern: /^(order=)?\d+|^(up|down)=\d+/,
    problem: () => "invalid format - unable to parse startup options\n",
  },
  "pve-qm-rng": {
    pattern: /(^|,)(source=)?\/dev\//,
    problem: () => "invalid format - format error\nrng0.source: property is missing and it is not optional\n",
  },
};

/** Texts of pve-common PVE/JSONSchema.pm check_type and check_prop, as recorded. */
function problemOf(value: string | string[], rule: ParamRule): string | undefined {
  if (Array.isArray(value)) return rule.type === "array" ? undefined : `type check ('${rule.type}') failed - got ARRAY`;
  if (rule.type === "integer" && !/^[+-]?\d+$/.test(value)) return `type check ('integer') failed - got '${value}'`;
  if (rule.type === "boolean" && !/^(0|1|on|off|yes|no|true|false)$/i.test(value)) {
    return `type check ('boolean') failed - got '${value}'`;
  }
  if (rule.type === "number" && !/^[+-]?\d+(\.\d+)?$/.test(value)) return `type check ('number') failed - got '${value}'`;
  const format = rule.format === undefined ? undefined : formats[rule.format];
  if (format !== undefined && !format.pattern.test(value)) return format.problem(value);
  if (rule.pattern !== undefined && !new RegExp(`^(?:${rule.pattern})$`).test(value)) {
    return "value does not match the regex pattern";
  }
  if (rule.enum !== undefined && !rule.enum.includes(value)) {
    return `value '${value}' does not have a value in the enumeration '${rule.enum.join(", ")}'`;
  }
  if (rule.minimum !== undefined && Number(value) < rule.minimum) return `value must have a minimum value of ${rule.minimum}`;
  if (rule.maximum !== undefined && Number(value) > rule.maximum) return `value must have a maximum value of ${rule.maximum}`;
  return undefined;
}

function convert(value: string | string[], rule: ParamRule): string | number | string[] {
  if (rule.type === "array") return Array.isArray(value) ? value : [value];
  if (rule.type === "boolean") return /^(1|on|yes|true)$/i.test(String(value)) ? 1 : 0;
  return rule.type === "integer" || rule.type === "number" ? Number(value) : String(value);
}

function ruleOf({ params }: Endpoint, name: string): ParamRule | undefined {
  if (name.includes("[")) return undefined;
  const known = Object.hasOwn(params, name) ? name : name.replace(/\d{1,3}$/, "[n]");
  return Object.hasOwn(params, known) ? params[known] : undefined;
}

/** Every problem at once, by parameter. */
export function checkParams(endpoint: Endpoint, given: Readonly<Record<string, string | string[]>>): Checked {
  const errors: Record<string, string> = {};
  const params: Record<string, string | number | string[]> = {};
  for (const [name, value] of Object.entries(given)) {
    const rule = ruleOf(endpoint, name);
    if (rule === undefined) {
      errors[name] = "property is not defined in schema and the schema does not allow additional properties";
      continue;
    }
    const problem = problemOf(value, rule);
    if (problem === undefined) params[name] = convert(value, rule);
    else errors[name] = problem;
  }
  for (const [name, rule] of Object.entries(endpoint.params)) {
    if (rule.optional !== true && !Object.hasOwn(given, name)) errors[name] = "property is missing and it is not optional";
  }
  return Object.keys(errors).length === 0 ? { ok: true, params } : { ok: false, errors };
}
