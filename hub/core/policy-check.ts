import type { FieldProblem } from "#protocol/alerting.ts";
import type { Policy } from "#protocol/policy.ts";
import { policyDefaults } from "#protocol/policy-defaults.ts";
import { type RestoreCheck, restoreCheckSchema, restoreChecksMax } from "#protocol/restore.ts";
import { checkScope } from "./rule.ts";
import { isBelow } from "./scope.ts";
import { checkRecurrence } from "./window.ts";

/** Comes with Proven, switched off: testing restores costs space, memory and disk time that only the admin can grant. */
export const defaultPolicy = (timezone: string): Policy => ({
  ...policyDefaults(timezone),
  id: "every-guest-monthly",
  name: "Every guest once a month",
  enabled: false,
  order: 1000,
  everyDays: 30,
  shipped: true,
});

/** Of all rows whose tags fit; of several with one name the first. */
export function checksFor({ checks }: Pick<Policy, "checks">, tags: readonly string[]): RestoreCheck[] {
  const found = new Map<string, RestoreCheck>();
  for (const row of checks) {
    const fits = row.tags.length === 0 || row.tags.some((wanted) => tags.some((tag) => isBelow(tag, wanted, ".")));
    if (!fits) continue;
    for (const one of row.checks) {
      const parsed = restoreCheckSchema.safeParse(one);
      if (parsed.success && !found.has(parsed.data.name)) found.set(parsed.data.name, parsed.data);
    }
  }
  return [...found.values()].slice(0, restoreChecksMax);
}

export function checkPolicy(policy: Policy): FieldProblem[] {
  const problems = [...checkScope(policy.scope, "scope"), ...checkRecurrence(policy.window, "window")];
  if (policy.parallel.perNode > policy.parallel.total) {
    problems.push({
      field: "parallel.perNode",
      problem: "It is more than parallel.total",
      remedy: `At most ${policy.parallel.total}`,
    });
  }
  policy.checks.forEach(({ checks }, index) => {
    const names = checks.map(({ name }) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice === undefined) return;
    problems.push({
      field: `checks.${index}.checks`,
      problem: `Two checks are called ${twice}`,
      remedy: "Give each its own name",
    });
  });
  return problems;
}
