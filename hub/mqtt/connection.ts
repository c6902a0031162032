import type { IClientOptions, MqttClient } from "mqtt";
import type { Clock, Log } from "../ports.ts";

export type ConnectionPorts = {
  url: string;
  options: IClientOptions;
  /** Subscribed at each connection. */
  listenTo: string | undefined;
  clock: Clock;
  log: Log;
  random(): number;
  /** A new connection stands. */
  connected(): void;
  heard(topic: string, payload: string): void;
};

/** What became of a publication. `refused`: the broker says no to it, and takes others. `lost`: it did not arrive, or nobody knows. */
export type Published = "taken" | "refused" | "lost";

const connectTimeoutMs = 10_000;
/** A broker that restarts is back within this: full jitter below it. */
const retryMaxMs = 12_000;
/** Who is refused stays refused until somebody changes something. */
const refusedMaxMs = 60_000;

type End = { wasConnected: boolean; problem: string; refused: boolean };

/** Keeps one connection to the broker. A trouble is logged once, not at every attempt. */
export class BrokerConnection {
  private client: MqttClient | undefined;
  private said = "";
  /** The first publication that this connection's broker refused; empty: none. */
  refusal = "";
  /** That are over. */
  attempts = 0;

  constructor(private readonly ports: ConnectionPorts) {}

  get isConnected(): boolean {
    return this.client !== undefined;
  }

  /** Why there is no connection; empty while there is one, and before the first attempt ended. */
  get problem(): string {
    return this.client === undefined ? this.said : "";
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      const { wasConnected, problem, refused } = await this.once(signal);
      if (signal.aborted) return;
      if (wasConnected) failures = 0;
      this.attempts++;
      this.say(problem);
      const delayMs = Math.min(refused ? refusedMaxMs : retryMaxMs, 1000 * 2 ** Math.min(failures++, 10));
      await this.ports.clock.sleep(delayMs * (0.5 + this.ports.random() / 2), signal);
    }
  }

  async publish(topic: string, payload: string, retain: boolean): Promise<Published> {
    const { client } = this;
    if (client === undefined) return "lost";
    try {
      await client.publishAsync(topic, payload, { qos: 1, retain });
      return "taken";
    } catch (error) {
      const { code, message } = error as Error & { code?: unknown };
      if (this.client !== client || typeof code !== "number") return "lost";
      this.noteRefusal(topic, message);
      return "refused";
    }
  }

  /** A broker of MQTT 5 says what its access list denies; one of 3.1.1 takes it and keeps it from everybody. */
  private noteRefusal(topic: string, why: string): void {
    if (this.refusal !== "") return;
    this.refusal = `the MQTT broker refuses ${topic} (${why}): see its access list`;
    this.ports.log(4, this.refusal, { url: this.ports.url });
  }

  private async once(signal: AbortSignal): Promise<End> {
    const { url, options, clock } = this.ports;
    const { default: mqtt } = await import("mqtt");
    if (signal.aborted) return { wasConnected: false, problem: "", refused: false };
    const client = mqtt.connect(url, { ...options, reconnectPeriod: 0, connectTimeout: connectTimeoutMs });
    return new Promise((resolve) => {
      let wasConnected = false;
      let problem = "it closed the connection";
      let refused = false;
      const finish = () => {
        if (this.client === client) this.client = undefined;
        signal.removeEventListener("abort", leave);
        // Also tells every publication that is under way that it failed.
        client.end(true);
        resolve({ wasConnected, problem, refused });
      };
      const leave = () => client.end(false, {}, finish);
      signal.addEventListener("abort", leave, { once: true });
      client.on("error", (error) => {
        ({ problem, refused } = explain(error));
        if (!wasConnected) finish();
      });
      client.once("close", finish);
      client.once("connect", () => {
        wasConnected = true;
        this.client = client;
        this.welcome(client);
      });
      client.on("message", (topic, payload) => this.ports.heard(topic, payload.toString("utf8")));
      // mqtt counts the whole attempt only once its socket stands.
      void clock.sleep(2 * connectTimeoutMs, signal).then(() => {
        if (!wasConnected) finish();
      });
    });
  }

  private welcome(client: MqttClient): void {
    const { log, url, listenTo, connected } = this.ports;
    this.said = "";
    this.refusal = "";
    log(6, "connected to the MQTT broker", { url });
    if (listenTo !== undefined) {
      client.subscribeAsync(listenTo, { qos: 1 }).catch((error: unknown) => {
        log(
          4,
          `the MQTT broker doesn't let the hub listen to ${listenTo}: Home Assistant's restarts go unnoticed (${String(error)})`,
        );
      });
    }
    connected();
  }

  private say(problem: string): void {
    if (problem === this.said) return;
    this.said = problem;
    this.ports.log(4, `no connection to the MQTT broker: ${problem}`, { url: this.ports.url });
  }
}

/** CONNACK codes of 3.1.1 (4, 5) and 5 (134, 135). */
const refusals: Record<number, string> = {
  4: "it refuses the user or the password: see username and password_file in [mqtt]",
  5: "it refuses the user or the password: see username and password_file in [mqtt]",
  134: "it refuses the user or the password: see username and password_file in [mqtt]",
  135: "it refuses the user or the password: see username and password_file in [mqtt]",
};

/** OpenSSL's names, as Node gives them. */
const certificateProblems: Record<string, string> = {
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate comes from an unknown authority: name it in ca_file",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed: name it in ca_file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate comes from an unknown authority: name it in ca_file",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate comes from an unknown authority: name it in ca_file",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name than the url's",
};

function explain(error: Error & { code?: unknown }): { problem: string; refused: boolean } {
  const { code } = error;
  if (typeof code === "number") return { problem: refusals[code] ?? error.message, refused: code in refusals };
  const known = typeof code === "string" ? certificateProblems[code] : undefined;
  return { problem: known ?? (error.message || String(code)), refused: known !== undefined };
}
