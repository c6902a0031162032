import type {
  ApiError,
  EntityMetrics,
  EventView,
  GuestView,
  Health,
  LoginAnswerRequest,
  LoginRequest,
  LoginState,
  Page,
  SeriesAnswer,
  SeriesQuery,
  SessionView,
  SignInRealms,
  TaskView,
} from "#protocol/api.ts";
import type { TopAnswer, TopQuery } from "#protocol/class-queries.ts";
import type { Layout, ProtectionView } from "#protocol/panel.ts";
import { AgentsApi } from "./agents-api.ts";
import { AlertingApi } from "./alerting-api.ts";
import { EntityApi } from "./entity-api.ts";
import { ProofApi } from "./proof-api.ts";

/** Why a request gave no answer. `unreachable`: no hub; `broken`: an answer that is none of the API's. */
export type ApiProblem = {
  code: string;
  status: number;
  message: string;
  /** What of the request was wrong, where the hub says so. */
  field: string | undefined;
  retryAfterSec: number | undefined;
};
export type Answer<T> = { ok: true; value: T } | { ok: false; problem: ApiProblem };

export type RequestOptions = { method?: "GET" | "POST" | "PUT" | "DELETE"; body?: unknown; signal?: AbortSignal };

/** How the panel's requests are let in: by whose cookie, and with which headers of a write. */
export type Access = { credentials: "same-origin" | "include"; writeHeaders(): Record<string, string> };

/** On the hub's own page: its cookie, and a header that a foreign page can't set. */
export const ownOrigin: Access = { credentials: "same-origin", writeHeaders: () => ({ "X-Proven": "1" }) };

/** The hub's API as the panel uses it. Nothing here throws: what fails is an answer too. */
export class Api {
  readonly alerting = new AlertingApi((path, options) => this.#request(path, options));
  readonly entities = new EntityApi((path, options) => this.#request(path, options));
  readonly agents = new AgentsApi((path, options) => this.#request(path, options));
  readonly proof: ProofApi;

  /** `base`: where `/api/v1` is, without a slash at its end; empty for the page's own origin. */
  constructor(
    readonly base: string,
    private readonly onSignedOut: () => void,
    private readonly access: Access = ownOrigin,
  ) {
    this.proof = new ProofApi((path, options) => this.#request(path, options), base);
  }

  signIn(key: string): Promise<Answer<SessionView>> {
    return this.#request("session", { method: "POST", body: { key } });
  }

  /** Where one can sign in with a Proxmox VE account. */
  realms(): Promise<Answer<SignInRealms>> {
    return this.#request("session/realms");
  }

  login(account: LoginRequest): Promise<Answer<LoginState>> {
    return this.#request("session/login", { method: "POST", body: account });
  }

  loginAnswer(answer: LoginAnswerRequest): Promise<Answer<LoginState>> {
    return this.#request("session/login/answer", { method: "POST", body: answer });
  }

  session(): Promise<Answer<SessionView>> {
    return this.#request("session");
  }

  signOut(): Promise<Answer<unknown>> {
    return this.#request("session", { method: "DELETE" });
  }

  layout(): Promise<Answer<Layout>> {
    return this.#request("layout");
  }

  saveLayout(layout: Layout): Promise<Answer<Layout>> {
    return this.#request("layout", { method: "PUT", body: layout });
  }

  protection(): Promise<Answer<Page<ProtectionView>>> {
    return this.#request("protection");
  }

  pushKey(): Promise<Answer<{ publicKey: string }>> {
    return this.#request("push/key");
  }

  subscribePush(subscription: unknown): Promise<Answer<{ id: string }>> {
    return this.#request("push/subscriptions", { method: "POST", body: subscription });
  }

  unsubscribePush(id: string): Promise<Answer<unknown>> {
    return this.#request(`push/subscriptions/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  health(): Promise<Answer<Health>> {
    return this.#request("health");
  }

  guests(): Promise<Answer<Page<GuestView>>> {
    return this.#request("guests");
  }

  tasks(limit: number): Promise<Answer<Page<TaskView>>> {
    return this.#request(`tasks?limit=${limit}`);
  }

  events(limit: number): Promise<Answer<Page<EventView>>> {
    return this.#request(`events?limit=${limit}`);
  }

  /** Current values of a node or guest, by its entity key. */
  metrics(entity: string, cluster: string): Promise<Answer<EntityMetrics>> {
    const [kind = "", name = ""] = entity.split("/");
    return this.#request(`${kind}s/${encodeURIComponent(name)}/metrics?cluster=${encodeURIComponent(cluster)}`);
  }

  querySeries(query: SeriesQuery, signal?: AbortSignal): Promise<Answer<SeriesAnswer>> {
    return this.#request("series/query", { method: "POST", body: query, ...(signal ? { signal } : {}) });
  }

  topSeries(query: TopQuery, signal?: AbortSignal): Promise<Answer<TopAnswer>> {
    return this.#request("series/top", { method: "POST", body: query, ...(signal ? { signal } : {}) });
  }

  async #request<T>(path: string, { method = "GET", body, signal }: RequestOptions = {}): Promise<Answer<T>> {
    const answer = await answerOf<T>(`${this.base}/api/v1/${path}`, {
      method,
      credentials: this.access.credentials,
      cache: "no-store",
      headers: {
        ...(method === "GET" ? {} : this.access.writeHeaders()),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    if (!answer.ok && answer.problem.status === 401) this.onSignedOut();
    return answer;
  }
}

async function answerOf<T>(url: string, init: RequestInit): Promise<Answer<T>> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    const aborted = cause instanceof DOMException && cause.name === "AbortError";
    return failure(aborted ? "aborted" : "unreachable", 0, cause instanceof Error ? cause.message : "");
  }
  const text = await response.text().catch(() => "");
  const json = parseJson(text);
  if (response.ok && (json !== undefined || text === "")) return { ok: true, value: json as T };
  if (isApiError(json)) return failure(json.error.code, response.status, json.error.message, response, json.error.field);
  return failure("broken", response.status, `HTTP ${response.status}`, response);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isApiError(json: unknown): json is ApiError {
  if (typeof json !== "object" || json === null || !("error" in json)) return false;
  const { error } = json;
  return (
    typeof error === "object" && error !== null && "message" in error && typeof error.message === "string" && "code" in error
  );
}

function failure(
  code: string,
  status: number,
  message: string,
  response?: Response,
  field?: string,
): { ok: false; problem: ApiProblem } {
  const seconds = Number(response?.headers.get("Retry-After") ?? "");
  return { ok: false, problem: { code, status, message, field, retryAfterSec: seconds > 0 ? seconds : undefined } };
}
