import type { AlertSubject } from "#protocol/alerting.ts";

/** Reads `<rule>@<cluster>/<entity>#<incarnation>[!<instance>]`, as alertIdOf of alert.ts writes it. Undefined: it is no such id. */
export function parseAlertId(id: string): (AlertSubject & { rule: string }) | undefined {
  const parts = /^([a-z0-9-]+)@([^/]+)\/(.+?)#([0-9]+)(?:!([\s\S]*))?$/.exec(id);
  if (parts === null) return undefined;
  const [, rule = "", cluster = "", entity = "", incarnation = "", instance] = parts;
  return { rule, cluster, entity, incarnation: Number(incarnation), instance: instance ?? null };
}
