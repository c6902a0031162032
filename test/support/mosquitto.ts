import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type MqttClient } from "mqtt";
import { debianPeer, freePort, RunningPeer } from "./debian-peer.ts";

export const mosquitto = debianPeer("mosquitto", "mosquitto");

export type BrokerOptions = {
  tls?: boolean;
  /** Only clients with a certificate of the same authority. */
  clientCertificates?: boolean;
  /** Only this user. */
  user?: { name: string; password: string };
  /** A topic filter that nobody may write to. */
  deny?: string;
};

/** A mosquitto on a port of 127.0.0.1, which restarts on the same port; it forgets all it held, as one without persistence does. */
export class Broker {
  private peer: RunningPeer | undefined;

  private constructor(
    private readonly program: string,
    private readonly config: string,
    readonly port: number,
    readonly dir: string,
    readonly url: string,
  ) {}

  /** Its files are in `dir`: `ca.pem`, `client.pem`, `client.key`. */
  static async start(dir: string, options: BrokerOptions = {}): Promise<Broker> {
    if (mosquitto.path === undefined) throw new Error(mosquitto.problem);
    const port = await freePort();
    const { tls = false, clientCertificates = false, user, deny } = options;
    mkdirSync(dir, { recursive: true });
    const lines = [`listener ${port} 127.0.0.1`, "persistence false", "log_dest stderr", "log_type all"];
    // Started as root it would become another user, who can't read this directory.
    lines.push("user root");
    if (tls) {
      makeCertificates(dir);
      lines.push(`cafile ${dir}/ca.pem`, `certfile ${dir}/broker.pem`, `keyfile ${dir}/broker.key`);
    }
    if (clientCertificates) lines.push("require_certificate true");
    if (user === undefined) lines.push("allow_anonymous true");
    else {
      execFileSync("mosquitto_passwd", ["-c", "-b", join(dir, "users"), user.name, user.password]);
      chmodSync(join(dir, "users"), 0o600);
      lines.push(`password_file ${dir}/users`, "allow_anonymous false");
    }
    if (deny !== undefined) {
      writeFileSync(join(dir, "acl"), `topic readwrite #\ntopic deny ${deny}\n`, { mode: 0o600 });
      lines.push(`acl_file ${join(dir, "acl")}`);
    }
    const config = join(dir, "mosquitto.conf");
    writeFileSync(config, `${lines.join("\n")}\n`);
    const broker = new Broker(mosquitto.path, config, port, dir, `${tls ? "mqtts" : "mqtt"}://127.0.0.1:${port}`);
    await broker.restart();
    return broker;
  }

  async restart(): Promise<void> {
    await this.stop();
    this.peer = await RunningPeer.start(this.program, ["-c", this.config], "running");
  }

  async stop(): Promise<void> {
    await this.peer?.stop("SIGKILL");
    this.peer = undefined;
  }
}

/** An authority, and certificates of it for the broker (127.0.0.1) and a client. */
function makeCertificates(dir: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "ignore" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "1");
  for (const name of ["broker", "client"]) {
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(join(dir, "san"), "subjectAltName=IP:127.0.0.1\n");
    openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-out", `${name}.pem`, "-days", "1", "-extfile", "san"],
    );
  }
}

/** Someone who hears everything, as Home Assistant and other listeners do. */
export class Observer {
  /** The newest payload of each topic; cleared topics are gone. */
  readonly topics = new Map<string, string>();
  readonly heard: { topic: string; payload: string; retained: boolean }[] = [];
  private waiting: (() => void)[] = [];

  private constructor(readonly client: MqttClient) {
    client.on("message", (topic, payload, { retain }) => {
      const text = payload.toString("utf8");
      this.heard.push({ topic, payload: text, retained: retain });
      if (text === "") this.topics.delete(topic);
      else this.topics.set(topic, text);
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  static async connect(broker: Broker, options: { username?: string; password?: string; ca?: Buffer } = {}): Promise<Observer> {
    const client = connect(broker.url, { ...options, reconnectPeriod: 0, protocolVersion: 5 });
    client.on("error", () => undefined);
    await new Promise<void>((resolve) => client.once("connect", () => resolve()));
    const observer = new Observer(client);
    await client.subscribeAsync("#", { qos: 1 });
    return observer;
  }

  /** Waits for messages until `holds`. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  json(topic: string): Record<string, unknown> {
    return JSON.parse(this.topics.get(topic) ?? "null");
  }

  close(): void {
    this.client.end(true);
  }
}
