import type {
  AlertView,
  FieldProblem,
  Rule,
  SignalView,
  Silence,
  SilenceRequest,
  SilenceView,
  Why,
  Window,
  WindowPreview,
  WindowView,
} from "#protocol/alerting.ts";
import type { EventView, Page } from "#protocol/api.ts";
import type { BacktestAnswer, BacktestRequest } from "#protocol/backtest.ts";
import type { Delivery, ReceiverView, Route, TemplatePreview } from "#protocol/notifications.ts";
import type { Answer, RequestOptions } from "./api.ts";

/** What came of a test message. */
export type ReceiverTest = { ok: boolean; answer: string; tookMs: number; delivery: string };

type Request = <T>(path: string, options?: RequestOptions) => Promise<Answer<T>>;
/** What filters a list; undefined and empty values are left out. */
type Query = Record<string, string | number | undefined>;

const withQuery = (path: string, query: Query) => {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return pairs.length === 0
    ? path
    : `${path}?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&")}`;
};
const at = (collection: string, id: string, verb = "") =>
  `${collection}/${encodeURIComponent(id)}${verb === "" ? "" : `/${verb}`}`;
const post = (body: unknown = {}): RequestOptions => ({ method: "POST", body });

/** The part of the API that is about alerts, what makes them and who is told. */
export class AlertingApi {
  constructor(private readonly request: Request) {}

  active(): Promise<Answer<Page<AlertView>>> {
    return this.request("alerts");
  }
  history(query: Query): Promise<Answer<Page<AlertView>>> {
    return this.request(withQuery("alerts/history", query));
  }
  why(id: string): Promise<Answer<Why>> {
    return this.request(at("alerts", id, "why"));
  }
  acknowledge(id: string, note: string): Promise<Answer<AlertView>> {
    return this.request(at("alerts", id, "ack"), post({ note: note === "" ? null : note }));
  }
  unacknowledge(id: string): Promise<Answer<AlertView>> {
    return this.request(at("alerts", id, "unack"), { method: "POST" });
  }
  snooze(id: string, sec: number, comment: string): Promise<Answer<Silence>> {
    return this.request(at("alerts", id, "snooze"), post({ sec, comment }));
  }

  rules(): Promise<Answer<Page<Rule>>> {
    return this.request("rules");
  }
  rule(id: string): Promise<Answer<Rule>> {
    return this.request(at("rules", id));
  }
  signals(): Promise<Answer<Page<SignalView>>> {
    return this.request("rules/signals");
  }
  /** `create`: its id must be new. */
  saveRule(rule: Rule, create: boolean): Promise<Answer<Rule>> {
    return create ? this.request("rules", post(rule)) : this.request(at("rules", rule.id), { method: "PUT", body: rule });
  }
  resetRule(id: string): Promise<Answer<Rule>> {
    return this.request(at("rules", id, "reset"), { method: "POST" });
  }
  checkRule(rule: Rule, signal: AbortSignal): Promise<Answer<{ problems: FieldProblem[] }>> {
    return this.request("rules/validate", { ...post(rule), signal });
  }
  backtest(body: BacktestRequest): Promise<Answer<BacktestAnswer>> {
    return this.request("rules/backtest", post(body));
  }

  silences(): Promise<Answer<Page<SilenceView>>> {
    return this.request("silences");
  }
  createSilence(silence: SilenceRequest): Promise<Answer<SilenceView>> {
    return this.request("silences", post(silence));
  }
  expireSilence(id: string): Promise<Answer<SilenceView>> {
    return this.request(at("silences", id, "expire"), { method: "POST" });
  }

  windows(): Promise<Answer<Page<WindowView>>> {
    return this.request("windows");
  }
  previewWindow(window: Window, signal: AbortSignal): Promise<Answer<WindowPreview>> {
    return this.request("windows/preview", { ...post(window), signal });
  }
  /** `create`: its id must be new. */
  saveWindow(window: Window, create: boolean): Promise<Answer<WindowView>> {
    return create
      ? this.request("windows", post(window))
      : this.request(at("windows", window.id), { method: "PUT", body: window });
  }
  endWindow(id: string): Promise<Answer<WindowView>> {
    return this.request(at("windows", id, "end"), { method: "POST" });
  }
  extendWindow(id: string, sec: number): Promise<Answer<WindowView>> {
    return this.request(at("windows", id, "extend"), post({ sec }));
  }

  routes(): Promise<Answer<Page<Route>>> {
    return this.request("routes");
  }
  saveRoute(route: Route, create: boolean): Promise<Answer<Route>> {
    return create ? this.request("routes", post(route)) : this.request(at("routes", route.id), { method: "PUT", body: route });
  }
  receivers(): Promise<Answer<Page<ReceiverView>>> {
    return this.request("receivers");
  }
  saveReceiver(
    receiver: Record<string, unknown> & { id: string },
    secrets: Record<string, string>,
    create: boolean,
  ): Promise<Answer<ReceiverView>> {
    const body = { receiver, ...(Object.keys(secrets).length > 0 ? { secrets } : {}) };
    return create ? this.request("receivers", post(body)) : this.request(at("receivers", receiver.id), { method: "PUT", body });
  }
  testReceiver(id: string): Promise<Answer<ReceiverTest>> {
    return this.request(at("receivers", id, "test"), { method: "POST" });
  }
  deliveries(query: Query): Promise<Answer<Page<Delivery>>> {
    return this.request(withQuery("deliveries", query));
  }
  delivery(id: string): Promise<Answer<Delivery>> {
    return this.request(at("deliveries", id));
  }
  /** Sends all dead letters of a receiver again. */
  replayAll(receiver: string): Promise<Answer<{ replayed: number }>> {
    return this.request("deliveries/replay", post({ receiver }));
  }
  previewTemplate(template: string, signal: AbortSignal): Promise<Answer<TemplatePreview>> {
    return this.request("templates/preview", { ...post({ template }), signal });
  }
  replay(id: string): Promise<Answer<Delivery>> {
    return this.request(at("deliveries", id, "replay"), { method: "POST" });
  }

  /** Removes a rule, silence, window, route or receiver. */
  remove(collection: "rules" | "silences" | "windows" | "routes" | "receivers", id: string): Promise<Answer<unknown>> {
    return this.request(at(collection, id), { method: "DELETE" });
  }

  events(query: Query): Promise<Answer<Page<EventView>>> {
    return this.request(withQuery("events", query));
  }
}
