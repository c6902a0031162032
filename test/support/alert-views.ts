import type { AlertView, Rule } from "#protocol/alerting.ts";

/** A firing alert about VM 100; its id follows from rule and entity. */
export function alertOf(given: Partial<AlertView> = {}): AlertView {
  const { rule = "guest-cpu", cluster = "00000000000000aa", entity = "guest/100", incarnation = 1, instance = null } = given;
  return {
    id: `${rule}@${cluster}/${entity}#${incarnation}${instance === null ? "" : `!${instance}`}`,
    rule,
    cluster,
    entity,
    incarnation,
    instance,
    ruleName: "Guest CPU sustained",
    severity: "warning",
    state: "firing",
    activeAt: 1000,
    firedAt: 2000,
    resolvedAt: null,
    node: "pve1",
    title: "web (VM 100)",
    tags: [],
    pool: null,
    value: 0.97,
    valueText: null,
    unit: "ratio",
    threshold: 0.9,
    text: "web (VM 100) uses 97 % of its CPU",
    remedy: null,
    reason: "breach",
    flapping: false,
    acknowledged: null,
    suppressedBy: null,
    disposition: "notified",
    notified: [{ receiver: "mail", at: 2000 }],
    affected: [],
    ...given,
  };
}

/** A rule about guests' CPU that fires above nine tenths. */
export function ruleOf(given: Partial<Rule> = {}): Rule {
  return {
    id: "busy",
    name: "Busy guests",
    enabled: true,
    severity: "warning",
    entity: "guest",
    scope: {},
    condition: { kind: "threshold", signal: "cpu", direction: "above", trigger: 0.9, clear: 0.8 },
    forSec: 300,
    clearForSec: 60,
    inhibits: false,
    overrides: [],
    shipped: false,
    ...given,
  };
}
