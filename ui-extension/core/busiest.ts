import type { TopAnswer, TopQuery } from "#protocol/class-queries.ts";
import type { Translate } from "./text.ts";
import type { DisplayUnit } from "./units.ts";

/** What guests are ranked by. */
export type Ranking = { id: "cpu" | "memory" | "disk" | "network"; title: string; unit: DisplayUnit; query: TopQuery };

const places = 5;

/** The rankings of guests over the last hour. */
export function guestRankings(t: Translate): Ranking[] {
  const query = (metric: string, ...plus: string[]): TopQuery => ({
    class: "guests",
    metric,
    n: places,
    ...(plus.length > 0 ? { plus } : {}),
  });
  return [
    { id: "cpu", title: t("CPU"), unit: "percent", query: query("cpu") },
    { id: "memory", title: t("Memory"), unit: "bytes", query: query("mem_used") },
    { id: "disk", title: t("Disk"), unit: "bytesPerSecond", query: query("disk_read", "disk_written") },
    { id: "network", title: t("Network"), unit: "bytesPerSecond", query: query("net_in", "net_out") },
  ];
}

export type Place = { entity: string; cluster: string; label: string; value: number; ratio: number };

/** Rows of a ranking, the bar in relation to the first place. */
export function placesIn(answer: TopAnswer): Place[] {
  const all = answer.series.flatMap(({ entity, cluster, name, columns }) => {
    const value = (columns.avg ?? columns.rate)?.[0];
    return value === undefined || value === null
      ? []
      : [{ entity, cluster, label: `${entity.replace("guest/", "")} ${name}`, value }];
  });
  const greatest = Math.max(0, ...all.map(({ value }) => value));
  return all.map((place) => ({ ...place, ratio: greatest === 0 ? 0 : place.value / greatest }));
}
