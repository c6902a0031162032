import { fileURLToPath } from "node:url";
import { parse, TomlError } from "smol-toml";
import * as z from "zod";
import { nearestName } from "#protocol/nearest-name.ts";
import { errorMessage } from "./core/error.ts";
import { heartbeatConfig } from "./heartbeat.ts";
import { mqttConfig } from "./mqtt/config.ts";
import { remoteReadConfig } from "./senders/remote-read.ts";
import { remoteWriteConfig } from "./senders/remote-write/config.ts";
import { proxyConfig } from "./tunnel.ts";

/**
 * Beside the program. A bundle's shared pieces lie one folder below it (`chunkNames` in scripts/build-options.ts), and this module is in one of them as soon
 * as a command that is loaded by need uses it too.
 */
const isPiece = /\/chunk-\w+\.mjs$/.test(import.meta.url);
const panelFolder = fileURLToPath(new URL(isPiece ? "../panel" : "panel", import.meta.url));

/** `/etc/proven/hub.toml`. An unknown key is an error: a setting that is silently ignored is worse than none. */
export const configSchema = z.strictObject({
  /** `::` is all of them, IPv4 too; where the kernel has no IPv6, all of IPv4. */
  listen: z.union([z.ipv4(), z.ipv6()]).default("::"),
  /** 0: any free one. */
  port: z.int().min(0).max(65_535).default(8420),
  /** How people reach the panel, for links in messages; default: this machine's name and the port. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  state: z.string().startsWith("/", "must be an absolute path").default("/var/lib/proven-hub"),
  panel: z.string().default(panelFolder),
  join: z
    .strictObject({
      /** Where `setup` writes what agents of this cluster need. */
      pmxcfs: z.string().startsWith("/", "must be an absolute path").default("/etc/pve"),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /** A file with a secret that opens `/metrics` and nothing else; API keys with the scope read open it in any case. */
      token_file: z.string().startsWith("/", "must be an absolute path").optional(),
    })
    .prefault({}),
  remote_write: remoteWriteConfig.optional(),
  remote_read: remoteReadConfig.optional(),
  mqtt: mqttConfig.optional(),
  heartbeat: heartbeatConfig.optional(),
  proxy: proxyConfig.optional(),
});

export type HubConfig = Readonly<z.infer<typeof configSchema>>;

/** Every wrong key at once, one line each. */
export class ConfigError extends Error {}

/** @throws ConfigError */
export function parseConfig(text: string, source = "hub.toml"): HubConfig {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ConfigError(`${source}: ${error.message}`, { cause: error });
  }
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return Object.freeze(parsed.data);
  throw new ConfigError(
    parsed.error.issues
      .flatMap(describeIssue)
      .map((line) => `${source}: ${line}`)
      .join("\n"),
  );
}

/** Files that the configuration names, which the hub reads when it starts: by the key of each. */
export function namedFiles(config: object, prefix = ""): { key: string; path: string }[] {
  return Object.entries(config).flatMap(([key, value]: [string, unknown]) => {
    const full = `${prefix}${key}`;
    if (typeof value === "string") return key.endsWith("_file") ? [{ key: full, path: value }] : [];
    return typeof value === "object" && value !== null ? namedFiles(value, `${full}.`) : [];
  });
}

/** What `open` makes of a section whose files may be missing. @throws ConfigError that names the section */
export function section<T>(name: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw new ConfigError(`${name}: ${errorMessage(error)}`, { cause: error });
  }
}

const knownKeys: Record<string, string[]> = {
  "": Object.keys(configSchema.shape),
  join: ["pmxcfs"],
  metrics: ["token_file"],
  remote_write: Object.keys(remoteWriteConfig.shape),
  remote_read: Object.keys(remoteReadConfig.shape),
  mqtt: Object.keys(mqttConfig.shape),
  heartbeat: Object.keys(heartbeatConfig.shape),
  proxy: Object.keys(proxyConfig.shape),
};

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return [`${path || "the file"}: ${issue.message}`];
  return issue.keys.map((key) => {
    const nearest = nearestName(key, knownKeys[path] ?? []);
    return `unknown key ${path === "" ? key : `${path}.${key}`}${nearest === undefined ? "" : `: did you mean ${nearest}?`}`;
  });
}
