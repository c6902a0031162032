import { alertEntityKinds, type SignalView } from "#protocol/alerting.ts";
import { metrics } from "#protocol/metrics.ts";
import { factSignals, signalOf } from "./signals.ts";

const kinds: readonly string[] = alertEntityKinds;

/** Everything a rule can be about: facts first, then metrics, as the catalogue has them. */
export function signalList(): SignalView[] {
  const facts = Object.entries(factSignals).map(
    ([signal, fact]): SignalView => ({
      entity: fact.entity,
      signal,
      kind: "fact",
      counter: false,
      unit: "unit" in fact ? fact.unit : null,
      values: "values" in fact ? [...fact.values] : null,
      help: fact.help,
    }),
  );
  const sampled = metrics
    .filter((metric) => kinds.includes(metric.entity))
    .map(({ entity, name, unit, kind, help }): SignalView => {
      const values = signalOf(entity, name)?.values;
      return {
        entity,
        signal: name,
        kind: "metric",
        counter: kind === "counter",
        unit,
        values: values ? [...values] : null,
        help,
      };
    });
  return [...facts, ...sampled];
}
