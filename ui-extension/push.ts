import type { Answer, Api, ApiProblem } from "./api.ts";
import { Observable } from "./observable.ts";

/**
 * Whether this browser shows messages of the hub. `unsupported`, `untrusted` and `blocked` say why it can't: it knows no web push; it doesn't
 * trust the hub's certificate, so it runs no service worker; its user forbade notifications of this page.
 */
export type PushState =
  | { state: "asking" | "unsupported" | "untrusted" | "blocked" | "off" | "busy" }
  | { state: "on"; endpoint: string }
  | { state: "failed"; problem: string };

/** The event of browsers that can install a page; no DOM types yet. */
type InstallEvent = Event & { prompt(): Promise<void>; userChoice: Promise<{ outcome: "accepted" | "dismissed" }> };

/** The hub's own page as an app of this browser: its service worker, web push, and putting it on the home screen. */
export class BrowserApp {
  readonly push = new Observable<PushState>({ state: "asking" });
  /** Undefined: the browser offers no installation now, as where the page is installed already. */
  readonly install = new Observable<InstallEvent | undefined>(undefined);
  readonly installed = new Observable(matchMedia("(display-mode: standalone)").matches);
  #registration: ServiceWorkerRegistration | undefined;

  constructor(private readonly api: Api) {}

  /** Registers the worker and looks what is subscribed. Nothing is asked of the user. */
  async start(): Promise<void> {
    addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault();
      this.install.set(event as InstallEvent);
    });
    addEventListener("appinstalled", () => {
      this.install.set(undefined);
      this.installed.set(true);
    });
    if (!("serviceWorker" in navigator)) return this.push.set({ state: "unsupported" });
    try {
      this.#registration = await navigator.serviceWorker.register("service-worker.js");
    } catch {
      return this.push.set({ state: "untrusted" });
    }
    await this.#look(this.#registration);
  }

  async #look(registration: ServiceWorkerRegistration): Promise<void> {
    if (!("pushManager" in registration) || !("Notification" in window)) return this.push.set({ state: "unsupported" });
    if (Notification.permission === "denied") return this.push.set({ state: "blocked" });
    const subscription = await registration.pushManager.getSubscription();
    this.push.set(subscription === null ? { state: "off" } : { state: "on", endpoint: subscription.endpoint });
  }

  /** Asks the user, the browser's push service and the hub, in this order. */
  async subscribe(): Promise<void> {
    const registration = this.#registration;
    if (registration === undefined) return;
    this.push.set({ state: "busy" });
    if ((await Notification.requestPermission()) === "denied") return this.push.set({ state: "blocked" });
    const key = await this.api.pushKey();
    if (!key.ok) return this.#fail(key.problem);
    try {
      const ready = await navigator.serviceWorker.ready;
      const subscription = await ready.pushManager.subscribe({
        userVisibleOnly: true,
        applicationServerKey: key.value.publicKey,
      });
      const kept = await this.api.subscribePush(subscription.toJSON());
      if (kept.ok) return this.push.set({ state: "on", endpoint: subscription.endpoint });
      await subscription.unsubscribe();
      this.#fail(kept.problem);
    } catch (cause) {
      this.push.set({ state: "failed", problem: cause instanceof Error ? cause.message : String(cause) });
    }
  }

  /** The hub forgets this browser first: a message to nobody is worse than a subscription that is left over. */
  async unsubscribe(): Promise<void> {
    const registration = this.#registration;
    const subscription = await registration?.pushManager.getSubscription();
    if (registration === undefined || !subscription) return;
    this.push.set({ state: "busy" });
    const answer = await this.#forget(subscription.endpoint);
    if (!answer.ok && answer.problem.status !== 404) return this.#fail(answer.problem);
    await subscription.unsubscribe();
    await this.#look(registration);
  }

  /** The hub knows a subscription by the SHA-256 of its address. */
  async #forget(endpoint: string): Promise<Answer<unknown>> {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint)));
    return await this.api.unsubscribePush([...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }

  async askInstall(): Promise<void> {
    const event = this.install.value;
    if (event === undefined) return;
    await event.prompt();
    if ((await event.userChoice).outcome === "accepted") this.install.set(undefined);
  }

  #fail({ message }: ApiProblem): void {
    this.push.set({ state: "failed", problem: message });
  }
}
