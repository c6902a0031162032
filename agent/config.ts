import { parse, TomlError } from "smol-toml";
import * as z from "zod/mini";
import english from "zod/v4/locales/en.js";
import { nearestName } from "#protocol/nearest-name.ts";
import { fingerprintPattern, hubUrlPattern } from "./hub-place.ts";

z.config(english()); // zod/mini comes without words

const absolutePath = z.string().check(z.regex(/^\//, "must be an absolute path"));

/** `true`: every alert about the node. `"routed"`: what the hub's routes bring to a receiver of the type `node`. `false`: nothing. */
const outletSwitch = z.union([z.boolean(), z.literal("routed")], 'must be true, false or "routed"');

const vmid = z.int().check(z.minimum(100), z.maximum(999_999_999));
const restoreDefaults = {
  enabled: true,
  vmid_first: 990_000,
  vmid_last: 990_999,
  storages: [] as string[],
  memory_mib: 4096,
  reserve_mib: 2048,
  parallel: 1,
  keep_sec: 14_400,
};

/** Made for one parse and then forgotten: a schema is memory, and the configuration is read once. */
export const makeConfigSchema = () =>
  z.strictObject({
    /** All that is read of the node lies below this folder. `PROVEN_ROOT` overrides. */
    root: z._default(absolutePath, "/"),
    /** The agent's own files: key, spool, where it joined. */
    state: z._default(absolutePath, "/var/lib/proven-agent"),
    /** Absent: `/etc/pve/proven/hub.json`, or what `proven-agent join` stored. */
    hub: z.optional(
      z.strictObject({
        url: z.string().check(z.regex(hubUrlPattern, "must be wss://host:port/agent")),
        fingerprint: z.string().check(z.regex(fingerprintPattern, "must be the certificate's SHA-256, AA:BB:… (32 pairs)")),
      }),
    ),
    pve: z._default(
      z.strictObject({
        api: z._default(z.string().check(z.regex(/^http:\/\/[^/]+$/, "must be http://host:port")), "http://127.0.0.1:85"),
      }),
      { api: "http://127.0.0.1:85" },
    ),
    /** Where commands are looked for, as in `PATH`. */
    commands: z._default(z.strictObject({ path: z._default(z.string(), "/usr/sbin:/usr/bin:/sbin:/bin") }), {
      path: "/usr/sbin:/usr/bin:/sbin:/bin",
    }),
    /** The panel's way from browsers on this node: pveproxy's certificate, Proxmox VE's own ticket. */
    gateway: z._default(
      z.strictObject({
        enabled: z._default(z.boolean(), true),
        listen: z._default(z.string().check(z.minLength(1)), "::"),
        port: z._default(z.int().check(z.minimum(0), z.maximum(65_535)), 8421),
        /** Where pveproxy listens: only its page may use the gateway. */
        pve_port: z._default(z.int().check(z.minimum(1), z.maximum(65_535)), 8006),
        panel: z._default(absolutePath, "/usr/share/proven/panel"),
      }),
      { enabled: true, listen: "::", port: 8421, pve_port: 8006, panel: "/usr/share/proven/panel" },
    ),
    /** Where this node tells the alerts that concern it. */
    outlet: z._default(
      z.strictObject({
        journal: z._default(outletSwitch, true),
        /** Executables in /etc/proven/alert.d. */
        hooks: z._default(outletSwitch, true),
        /** To root, by the node's sendmail. */
        mail: z._default(outletSwitch, "routed"),
        /** Without a hub for so long, the agent raises that itself. */
        hub_unreachable_sec: z._default(z.int().check(z.minimum(30), z.maximum(86_400)), 300),
      }),
      { journal: true, hooks: true, mail: "routed", hub_unreachable_sec: 300 },
    ),
    /** The catalogue of backups. */
    backups: z._default(
      z.strictObject({
        /** Take the SHA-256 of file archives while they are new: the only proof of an uncompressed one's bytes. Reads each archive once. */
        sha256: z._default(z.boolean(), true),
        /** At most so much is read for it, MiB per second, at idle priority. */
        read_mib_per_sec: z._default(z.int().check(z.minimum(1), z.maximum(100_000)), 100),
      }),
      { sha256: true, read_mib_per_sec: 100 },
    ),
    /**
     * What the hub may ask of this node in restore tests; it can't widen it. On by default: nothing runs until somebody orders a test or switches a
     * policy on, and then only under numbers that no one uses, one at a time, with memory left.
     */
    restore_test: z._default(
      z
        .strictObject({
          enabled: z._default(z.boolean(), restoreDefaults.enabled),
          /** Numbers of test guests. Whatever else lives there is reported and left alone. */
          vmid_first: z._default(vmid, restoreDefaults.vmid_first),
          vmid_last: z._default(vmid, restoreDefaults.vmid_last),
          /** Storages that may take their disks; empty: those of the backed-up guest. */
          storages: z._default(z.array(z.string().check(z.minLength(1))), restoreDefaults.storages),
          /** Most memory of one test guest. */
          memory_mib: z._default(z.int().check(z.minimum(16), z.maximum(4_194_304)), restoreDefaults.memory_mib),
          /** Memory of the node that stays free. */
          reserve_mib: z._default(z.int().check(z.minimum(0), z.maximum(4_194_304)), restoreDefaults.reserve_mib),
          parallel: z._default(z.int().check(z.minimum(1), z.maximum(16)), restoreDefaults.parallel),
          /** Longest time a test guest may be kept. */
          keep_sec: z._default(z.int().check(z.minimum(0), z.maximum(86_400)), restoreDefaults.keep_sec),
          /** Most that a restore may read of a backup; absent: the datacenter's and the storages' own limits. */
          restore_mib_per_sec: z.optional(z.int().check(z.minimum(1), z.maximum(100_000))),
          /** Pool of test guests; it must exist. */
          pool: z.optional(z.string().check(z.minLength(1), z.maxLength(255))),
        })
        .check(z.refine((range) => range.vmid_first <= range.vmid_last, "vmid_first must not be above vmid_last")),
      restoreDefaults,
    ),
  });

export type AgentConfig = z.output<ReturnType<typeof makeConfigSchema>>;

const knownKeys: Record<string, readonly string[]> = {
  "": ["root", "state", "hub", "pve", "commands", "gateway", "outlet", "backups", "restore_test"],
  hub: ["url", "fingerprint"],
  pve: ["api"],
  commands: ["path"],
  backups: ["sha256", "read_mib_per_sec"],
  gateway: ["enabled", "listen", "port", "pve_port", "panel"],
  restore_test: Object.keys(restoreDefaults).concat("restore_mib_per_sec", "pool"),
  outlet: ["journal", "hooks", "mail", "hub_unreachable_sec"],
};

/** Every wrong key at once, one per line. */
export class ConfigError extends Error {}

/** The text of agent.toml as a configuration with its defaults; throws ConfigError. */
export function parseConfig(text: string): Readonly<AgentConfig> {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    if (error instanceof TomlError) throw new ConfigError(`not TOML: ${error.message}`, { cause: error });
    throw error;
  }
  const parsed = makeConfigSchema().safeParse(value);
  if (parsed.success) return Object.freeze(parsed.data);
  throw new ConfigError(parsed.error.issues.flatMap(explain).join("\n"));
}

function explain(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return [`${path}: ${issue.message}`];
  return issue.keys.map((key) => {
    const near = nearestName(key, knownKeys[path] ?? []);
    return `${path === "" ? key : `${path}.${key}`}: unknown key${near === undefined ? "" : `, did you mean "${near}"?`}`;
  });
}
