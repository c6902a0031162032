import * as z from "zod";

const path = z.string().startsWith("/", "must be an absolute path");
const topic = z.string().regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, "levels of letters, digits, _ and -, parted by /");

/** `[mqtt]` of hub.toml: alerts, events and states for an MQTT broker and Home Assistant. The hub takes no commands from there. */
export const mqttConfig = z
  .strictObject({
    /** `mqtts://broker:8883`, or `mqtt://` without TLS. */
    url: z.url({ protocol: /^mqtts?$/, error: "must be mqtts://host:port or mqtt://host:port" }),
    version: z.enum(["3.1.1", "5"]).default("3.1.1"),
    /** Must differ between hubs at one broker. */
    client_id: z.string().min(1).max(64).default("proven-hub"),
    username: z.string().min(1).optional(),
    /** A file that holds the password and nothing else. */
    password_file: path.optional(),
    /** PEM of the authority that the broker's certificate must come from, instead of the system's. There is no way to turn verification off. */
    ca_file: path.optional(),
    /** The hub's own certificate and key, for brokers that want one. */
    cert_file: path.optional(),
    key_file: path.optional(),
    /** First level of every topic. */
    prefix: topic.default("proven"),
    discovery: z.boolean().default(true),
    discovery_prefix: topic.default("homeassistant"),
    /** How long the topic of an alert that is over says so, before it is cleared. */
    keep_resolved_min: z.int().min(0).max(10_080).default(15),
  })
  .refine(({ url }) => !/^[a-z]+:\/\/[^/]*@/i.test(url), {
    error: "credentials don't belong in the URL, which is logged: use username and password_file",
    path: ["url"],
  })
  .refine(({ username, password_file }) => password_file === undefined || username !== undefined, {
    error: "password_file needs username",
  })
  .refine(({ cert_file, key_file }) => (cert_file === undefined) === (key_file === undefined), {
    error: "give cert_file with key_file, or neither",
  })
  .refine(({ url, ca_file, cert_file }) => url.startsWith("mqtts:") || (ca_file === undefined && cert_file === undefined), {
    error: "certificates need mqtts://",
  });

export type MqttConfig = z.infer<typeof mqttConfig>;
