import type { AlertView } from "#protocol/alerting.ts";
import type { EventView, Page, TaskView } from "#protocol/api.ts";
import type { EntityView, Outlook } from "#protocol/entities.ts";
import type { NodeHardware } from "#protocol/hardware.ts";
import type { NodeRecovery, RecoveryDetail } from "#protocol/recovery.ts";
import type { Answer, RequestOptions } from "./api.ts";

type Request = <T>(path: string, options?: RequestOptions) => Promise<Answer<T>>;
type Query = Readonly<Record<string, string | number | undefined>>;

const withQuery = (path: string, query: Query) => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(String(value))}`],
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
};

export type EntityQuery = { cluster?: string; kind?: EntityView["kind"]; node?: string; entity?: string; values?: 0 | 1 };

/** The part of the API that pages about one thing ask: what there is, when it fills, and what happened to it. */
export class EntityApi {
  constructor(private readonly request: Request) {}

  list(query: EntityQuery): Promise<Answer<Page<EntityView>>> {
    return this.request(withQuery("entities", query));
  }

  outlook(entity: string, cluster: string): Promise<Answer<Page<Outlook>>> {
    return this.request(withQuery("entities/outlook", { entity, cluster }));
  }

  hardware(node: string, cluster: string): Promise<Answer<NodeHardware>> {
    return this.request(withQuery(`nodes/${encodeURIComponent(node)}/hardware`, { cluster }));
  }

  recovery(): Promise<Answer<Page<NodeRecovery>>> {
    return this.request("recovery");
  }

  recoveryOf(node: string, cluster: string): Promise<Answer<RecoveryDetail>> {
    return this.request(withQuery(`nodes/${encodeURIComponent(node)}/recovery`, { cluster }));
  }

  eventsAbout(entity: string, cluster: string, since: number): Promise<Answer<Page<EventView>>> {
    return this.request(withQuery("events", { entity, cluster, since, limit: 200 }));
  }

  tasksAbout(about: { guest?: number; node?: string }, cluster: string, since: number): Promise<Answer<Page<TaskView>>> {
    return this.request(withQuery("tasks", { ...about, cluster, since, limit: 500 }));
  }

  alertsAbout(entity: string, cluster: string, since: number): Promise<Answer<Page<AlertView>>> {
    return this.request(withQuery("alerts/history", { entity, cluster, since, limit: 200 }));
  }
}
