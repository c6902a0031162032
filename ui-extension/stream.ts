import type { StreamEvents } from "#protocol/api.ts";
import { retryDelayMs } from "./core/retry.ts";
import { Observable } from "./observable.ts";

/** `lost` keeps when it was lost: what is on the screen has that age. */
export type StreamState = { state: "connecting" } | { state: "live" } | { state: "lost"; since: number };

/** What the stream tells; `opened`: a new connection, whose first lists are complete. */
export interface StreamSink {
  opened(): void;
  receive<K extends keyof StreamEvents>(kind: K, data: StreamEvents[K]): void;
}

const kinds = [
  "nodes",
  "guests",
  "storages",
  "gone",
  "tasks",
  "alerts",
  "runs",
  "event",
  "beat",
] as const satisfies readonly (keyof StreamEvents)[];
/** Three beats missed: the connection is dead though nobody closed it. */
const silentAfterMs = 16_000;

/**
 * The live stream with its reconnects. EventSource's own reconnect gives up on an HTTP error and says no status, so each loss ends it here;
 * `mayRetry` (it asks for the session) tells whether coming back makes sense.
 */
export class LiveStream {
  readonly state = new Observable<StreamState>({ state: "connecting" });
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #heardAt = 0;
  #running = false;

  constructor(
    private readonly url: string,
    private readonly sink: StreamSink,
    private readonly mayRetry: () => Promise<boolean>,
    private readonly credentials: "same-origin" | "include" = "same-origin",
  ) {}

  start(): void {
    this.stop();
    this.#running = true;
    this.#attempt = 0;
    this.state.set({ state: "connecting" });
    this.#connect();
  }

  /** Begins with what was known at `since`, while nobody answers: it is lost from the start, and tries again by itself. */
  resume(since: number): void {
    this.stop();
    this.#running = true;
    this.#heardAt = since;
    this.#lose(since);
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }

  /** Called every second: notices a stream that has gone silent. */
  watch(now: number): void {
    // A clock that was set back must not make a dead stream look alive for as long.
    this.#heardAt = Math.min(this.#heardAt, now);
    if (this.#source !== undefined && this.state.value.state === "live" && now - this.#heardAt > silentAfterMs) this.#lose(now);
  }

  /** Tries again at once, as the user asked to. */
  retryNow(): void {
    if (this.state.value.state !== "lost") return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  #connect(): void {
    this.#source?.close();
    const source = new EventSource(this.url, { withCredentials: this.credentials === "include" });
    this.#source = source;
    source.onopen = () => {
      this.#attempt = 0;
      this.#heardAt = Date.now();
      this.sink.opened();
      this.state.set({ state: "live" });
    };
    source.onerror = () => {
      if (this.#source === source) this.#lose(Date.now());
    };
    for (const kind of kinds) source.addEventListener(kind, (event) => this.#take(kind, event));
  }

  #take<K extends keyof StreamEvents>(kind: K, event: MessageEvent): void {
    this.#heardAt = Date.now();
    // The hub's own answers, of one version with this panel: trusted like every same-origin answer.
    this.sink.receive(kind, JSON.parse(String(event.data)) as StreamEvents[K]);
  }

  #lose(now: number): void {
    this.#source?.close();
    this.#source = undefined;
    if (this.state.value.state !== "lost") this.state.set({ state: "lost", since: this.#heardAt || now });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#retry(), retryDelayMs(this.#attempt++, Math.random()));
  }

  async #retry(): Promise<void> {
    if ((await this.mayRetry()) && this.#running) this.#connect();
  }
}
