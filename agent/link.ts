import { refusalCodes } from "#protocol/messages.ts";
import { backoffMs, hopelessDelayMs, restartDelayMs } from "./core/backoff.ts";
import type { HubPlace, PlaceFound } from "./hub-place.ts";
import type { Connected } from "./hub-socket.ts";
import type { Clock, Log } from "./ports.ts";
import { runSession, type SessionEnd, type SessionPorts } from "./session.ts";

/** Without a hub, or before the node knows its own name, time until the next look, ms. */
const lookAgainMs = 10_000;

export type LinkPorts = Omit<SessionPorts, "proof" | "self" | "onWelcome" | "hearPins"> & {
  random(): number;
  /** What a session measures its long waits with; default: `clock`. */
  sessionClock?: Clock;
  identify(): Promise<SessionPorts["self"] | undefined>;
  findHub(): PlaceFound | Promise<PlaceFound>;
  connect(place: HubPlace, signal: AbortSignal): Promise<Connected>;
  /** Fingerprint of the hub that knows our key. */
  readJoined(): string | undefined;
  writeJoined(fingerprint: string): void;
  /** The hub at this place, which showed the certificate `shown`, names those to accept from now on. */
  writePins(place: HubPlace, shown: string, accepts: readonly string[]): void;
};

type Outcome = { welcomed: boolean; end: SessionEnd | { why: "unreachable"; problem: string } };

/** Keeps one session with the hub for as long as the agent runs. */
export class Link {
  private attempt = 0;
  private awaySinceMs: number | undefined;
  private said = "";
  /** The last hub said that it doesn't know our key, though it once did. */
  private forgotten = false;
  /** A hub that was found once is found again while pmxcfs is down or hangs: that is what it has to be told. */
  private newest: { place: HubPlace; self: SessionPorts["self"] } | undefined;

  constructor(private readonly ports: LinkPorts) {
    this.awaySinceMs = ports.clock.monotonicMs();
  }

  /** How long there has been no session, ms; 0 with one. */
  awayMs(): number {
    return this.awaySinceMs === undefined ? 0 : this.ports.clock.monotonicMs() - this.awaySinceMs;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.once(signal);
      await this.ports.clock.sleep(waitMs, signal);
    }
  }

  /** One attempt; how long to wait before the next, ms. */
  private async once(signal: AbortSignal): Promise<number> {
    const at = await this.hubToAsk(signal);
    if (!at.ok) return this.lookAgain(at.problem);
    const self = (await this.ports.identify()) ?? at.self;
    if (self === undefined) return this.lookAgain("this node's name and cluster can't be read yet: is pmxcfs mounted?");
    const outcome = await this.converse(at.place, self, signal);
    this.awaySinceMs ??= this.ports.clock.monotonicMs();
    return signal.aborted ? 0 : this.delayAfter(outcome, at.place);
  }

  /** Where nobody can say where the hub is, the one that welcomed this agent last; `self`: as whom. */
  private async hubToAsk(
    signal: AbortSignal,
  ): Promise<{ ok: true; place: HubPlace; self: SessionPorts["self"] | undefined } | { ok: false; problem: string }> {
    const found = await this.find(signal);
    if (found.ok) return { ...found, self: undefined };
    if (found.none === true) this.newest = undefined;
    return this.newest === undefined ? found : { ok: true, ...this.newest };
  }

  /** pmxcfs may hang: then there is something to say, and the same question goes on. */
  private async find(signal: AbortSignal): Promise<PlaceFound> {
    const done = new AbortController();
    const late = this.ports.clock.sleep(lookAgainMs, AbortSignal.any([signal, done.signal]));
    const hanging = late.then(
      (): PlaceFound => ({ ok: false, problem: "where the hub is can't be read: /etc/pve does not answer" }),
    );
    try {
      return await Promise.race([this.ports.findHub(), hanging]);
    } finally {
      done.abort();
    }
  }

  private lookAgain(problem: string): number {
    this.say(6, problem);
    return lookAgainMs;
  }

  private async converse(place: HubPlace, self: SessionPorts["self"], signal: AbortSignal): Promise<Outcome> {
    const { log } = this.ports;
    const connected = await this.ports.connect(place, signal);
    if (!connected.ok) return { welcomed: false, end: { why: "unreachable", problem: connected.problem } };
    const known = !this.forgotten && this.ports.readJoined() === place.fingerprint;
    let welcomed = false;
    const onWelcome = () => {
      welcomed = true;
      this.attempt = 0;
      this.awaySinceMs = undefined;
      this.said = "";
      this.forgotten = false;
      this.newest = { place: { ...place, proof: undefined }, self };
      this.noting(() => this.ports.writeJoined(place.fingerprint));
      log(6, known ? "connected to the hub" : "joined the hub", { url: place.url, waiting: this.ports.store.waiting });
    };
    const proof = known ? undefined : place.proof;
    const clock = this.ports.sessionClock ?? this.ports.clock;
    const hearPins = (pins: readonly string[]) => {
      const shown = connected.socket.fingerprint;
      if (pins.includes(shown)) this.newest = { place: { ...place, proof: undefined, accepts: pins }, self };
      this.noting(() => this.ports.writePins(place, shown, pins));
    };
    const end = await runSession(connected.socket, { ...this.ports, clock, self, proof, onWelcome, hearPins }, signal);
    return { welcomed, end };
  }

  /** A disk that is full must not end a session. */
  private noting(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.ports.log(4, "could not note what this hub said of itself", { problem: String(error) });
    }
  }

  private delayAfter({ welcomed, end }: Outcome, place: HubPlace): number {
    const random = this.ports.random();
    const backoff = () => backoffMs(this.attempt++, random);
    switch (end.why) {
      case "stopped":
        return 0;
      case "rekeyed":
        return restartDelayMs(random); // a hub that asks for one new key after the other keeps nobody busy
      case "unreachable":
        this.say(4, `hub unreachable: ${end.problem}`);
        return backoff();
      case "silent":
        this.say(4, "the hub does not answer, connecting anew");
        return backoff();
      case "garbled":
        this.say(3, "the hub sends what this agent can't understand: do their versions fit?");
        return backoff();
      case "closed":
        this.say(welcomed ? 5 : 4, `the hub closed the connection (${end.code})`);
        return welcomed && [1001, 1012].includes(end.code) ? restartDelayMs(random) : backoff();
      case "refused":
        return this.delayAfterRefusal(end, place, random);
    }
  }

  private delayAfterRefusal({ code, problem }: Extract<SessionEnd, { why: "refused" }>, place: HubPlace, random: number): number {
    const { retry, text } = refusalCodes[code];
    const remedy = code === "not-joined" && place.proof === undefined ? ": run proven-agent join" : "";
    this.say(retry ? 4 : 3, `the hub refused this agent: ${text}${remedy}`, { code, problem });
    if (code === "not-joined" && !this.forgotten && place.proof !== undefined && this.ports.readJoined() === place.fingerprint) {
      this.forgotten = true;
      return restartDelayMs(random);
    }
    return retry ? backoffMs(this.attempt++, random) : hopelessDelayMs(random);
  }

  /** The same trouble is told once, not at every attempt. */
  private say(level: Parameters<Log>[0], message: string, fields?: Record<string, string | number>): void {
    if (message === this.said) return;
    this.said = message;
    this.ports.log(level, message, fields);
  }
}
