import type { LoginState, SessionView } from "#protocol/api.ts";
import { type Access, type Answer, Api, type ApiProblem, ownOrigin } from "./api.ts";
import { isDue } from "./core/due.ts";
import type { Page, Route } from "./core/route.ts";
import type { LastStateKeeper } from "./last-state.ts";
import { Observable } from "./observable.ts";
import { OverviewState } from "./overview-state.ts";
import type { BrowserApp } from "./push.ts";
import type { PveActions } from "./pve-actions.ts";
import { newestEvents, newestTasks, Store } from "./store.ts";
import { LiveStream, type StreamState } from "./stream.ts";

/** `checking`: asking the hub whether the cookie still counts. `unreachable` and `forbidden` say why there is no panel. */
export type SessionState =
  | { state: "checking" }
  | { state: "signed-out"; why: "first" | "ended" | "refused" | "login-refused"; message: string }
  | { state: "signed-in"; session: SessionView }
  | { state: "failed"; problem: ApiProblem };

/** Where the panel is and how it goes elsewhere: the URL's hash standalone, its own memory inside PVE's page. */
export interface Navigation {
  readonly route: Observable<Route>;
  /** Where its own home is: the overview, or the thing whose tab the panel is in. */
  readonly start: Route;
  /** For the link's href. Undefined: the page's URL belongs to someone else. */
  href(route: Route): string | undefined;
  go(route: Route, how: "push" | "replace"): void;
}

/** How often what is known is kept for when there is no hub. */
const keepEveryMs = 60_000;
/** How often what the stream doesn't tell is asked. */
const healthEveryMs = 30_000;

/** What every element of one panel shares. */
export class Panel {
  readonly store = new Store();
  readonly session = new Observable<SessionState>({ state: "checking" });
  /** The hub's time, once a second while the panel runs. */
  readonly now = new Observable(Date.now());
  readonly api: Api;
  readonly stream: LiveStream;
  readonly overview: OverviewState;
  /** The hub's own page as an app of this browser; undefined inside Proxmox VE's page. */
  app: BrowserApp | undefined;
  /** What Proxmox VE does when it is asked from its own page; undefined elsewhere. */
  pve: PveActions | undefined;
  /** Of the Proxmox VE page that this panel is in; undefined: a node's own address is taken for links to it. */
  pveOrigin: string | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #healthAt = 0;
  #keptAt = 0;
  /** What is shown comes from the keeper: the hub has not answered since. */
  #isRestored = false;
  /** The stream was lost, and is not back. */
  #wasLost = false;

  constructor(
    base: string,
    readonly navigation: Navigation,
    access: Access = ownOrigin,
    /** Keeps what is known in this browser; undefined: nothing is kept, as in Proxmox VE's page. */
    private readonly keeper?: LastStateKeeper,
  ) {
    this.api = new Api(base, () => this.end(), access);
    this.stream = new LiveStream(`${base}/api/v1/stream`, this.store, () => this.#mayRetry(), access.credentials);
    this.overview = new OverviewState(this.api);
    this.store.clockOffsetMs.subscribe(() => this.#setNow());
    this.stream.state.subscribe(() => this.#onStream(this.stream.state.value.state));
  }

  /** Begins with what the browser has: a session cookie, or a key from the address. */
  async start(key?: string): Promise<void> {
    this.#ticker ??= setInterval(() => this.#tick(), 1000);
    if (key !== undefined) return await this.signIn(key);
    const answer = await this.api.session();
    if (answer.ok) return await this.#signedIn(answer.value);
    if (answer.problem.status === 401) this.session.set({ state: "signed-out", why: "first", message: "" });
    else await this.#restore(answer.problem);
  }

  /** Nobody answers: what was last known, with its age. Any other refusal is told. */
  async #restore(problem: ApiProblem): Promise<void> {
    const kept = problem.status === 0 ? await this.keeper?.read(Date.now()) : undefined;
    if (kept === undefined || this.#ticker === undefined) return this.session.set({ state: "failed", problem });
    this.store.restore(kept.picture, kept.clockOffsetMs);
    this.overview.protections.set(kept.protections);
    this.session.set({ state: "signed-in", session: kept.session });
    this.#isRestored = true;
    this.stream.resume(kept.at);
  }

  /** Leaves nothing running: elements come and go inside PVE's page. */
  stop(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.stream.stop();
  }

  async signIn(key: string): Promise<void> {
    const answer = await this.api.signIn(key.trim());
    if (answer.ok) return await this.#signedIn(answer.value);
    const { status, message } = answer.problem;
    if (status === 0) this.session.set({ state: "failed", problem: answer.problem });
    else this.session.set({ state: "signed-out", why: "refused", message });
  }

  /** One step of signing in with a Proxmox VE account. Undefined: it is done, or was refused, as `session` then says. */
  async logIn(step: Promise<Answer<LoginState>>): Promise<Extract<LoginState, { state: "tfa-needed" }> | undefined> {
    const answer = await step;
    if (!answer.ok) {
      const { status, message } = answer.problem;
      if (status === 0) this.session.set({ state: "failed", problem: answer.problem });
      else this.session.set({ state: "signed-out", why: "login-refused", message });
      return undefined;
    }
    if (answer.value.state === "tfa-needed") return answer.value;
    await this.#signedIn(answer.value.session);
    return undefined;
  }

  async signOut(): Promise<void> {
    await this.api.signOut();
    this.#forget();
    this.session.set({ state: "signed-out", why: "first", message: "" });
  }

  /** This key may change things. */
  get mayWrite(): boolean {
    const session = this.session.value;
    return session.state === "signed-in" && session.session.scopes.some((scope) => scope !== "read");
  }

  /** He may change what is the hub's own: rules, routes, windows, policies. A hub that doesn't say refuses at each request. */
  get maySet(): boolean {
    const session = this.session.value;
    return this.mayWrite && session.state === "signed-in" && session.session.settings !== false;
  }

  /** He may shut out agents of this cluster, or give them another key. */
  mayKeep(cluster: string): boolean {
    const session = this.session.value;
    if (!this.mayWrite || session.state !== "signed-in") return false;
    return session.session.agentsOf?.includes(cluster) ?? true;
  }

  /** Route to an entity; it names the cluster only where there are several. */
  routeTo(entity: string, cluster: string): Route {
    const clusters = new Set(this.store.picture.value.nodes.map((node) => node.cluster));
    const page: Page = { kind: "entity", entity, cluster: clusters.size > 1 ? cluster : undefined };
    return { page, range: this.navigation.route.value.range, filter: "" };
  }

  async #signedIn(session: SessionView): Promise<void> {
    if (this.#ticker === undefined) return; // stopped while the answer was on its way
    this.session.set({ state: "signed-in", session });
    this.stream.start();
    await this.#readRest();
  }

  /** A stream that came back tells how all is, not what happened meanwhile. */
  #onStream(state: StreamState["state"]): void {
    if (state === "live" && this.#wasLost) void this.#readRest();
    this.#wasLost = state === "lost" || (state === "connecting" && this.#wasLost);
  }

  /** What the stream doesn't tell when it opens. */
  async #readRest(): Promise<void> {
    void this.overview.read();
    const [tasks, events] = await Promise.all([this.api.tasks(200), this.api.events(100), this.#readHealth()]);
    const { picture } = this.store;
    if (tasks.ok) this.store.change({ tasks: newestTasks([...picture.value.tasks, ...tasks.value.items]) });
    if (events.ok) this.store.change({ events: newestEvents([...picture.value.events, ...events.value.items]) });
  }

  /** The session is over: nothing of what it showed stays. */
  end(): void {
    if (this.session.value.state !== "signed-in") return;
    this.#forget();
    this.session.set({ state: "signed-out", why: "ended", message: "" });
  }

  #forget(): void {
    this.stream.stop();
    this.store.clear();
    this.overview.clear();
    void this.keeper?.forget();
  }

  /** Keeps what is known now, if it is live: what is old already was kept when it was new. */
  keepState(): void {
    const session = this.session.value;
    const { store, stream } = this;
    if (this.keeper === undefined || session.state !== "signed-in" || stream.state.value.state !== "live" || !store.loaded.value)
      return;
    this.#keptAt = Date.now();
    const clockOffsetMs = store.clockOffsetMs.value;
    const protections = this.overview.protections.value;
    void this.keeper.keep({ at: Date.now(), clockOffsetMs, session: session.session, picture: store.picture.value, protections });
  }

  async #mayRetry(): Promise<boolean> {
    const answer = await this.api.session();
    if (answer.ok && this.#isRestored) {
      this.#isRestored = false;
      this.session.set({ state: "signed-in", session: answer.value });
    }
    return this.session.value.state === "signed-in";
  }

  /** False: the hub did not answer. */
  async #readHealth(): Promise<boolean> {
    this.#healthAt = Date.now();
    const health = await this.api.health();
    if (health.ok) this.store.change({ health: health.value });
    return health.ok;
  }

  async #refresh(): Promise<void> {
    if (await this.#readHealth()) await this.overview.readProtections();
  }

  #setNow(): void {
    this.now.set(Date.now() + this.store.clockOffsetMs.value);
  }

  #tick(): void {
    this.#setNow();
    this.stream.watch(Date.now());
    if (this.session.value.state !== "signed-in") return;
    if (isDue(this.#healthAt, healthEveryMs, Date.now())) void this.#refresh();
    if (isDue(this.#keptAt, keepEveryMs, Date.now())) this.keepState();
  }
}
