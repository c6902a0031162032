import { parseArgs } from "node:util";

export const usage = `proven-agent [--config FILE]            sample this node and send to the hub
proven-agent --check [--config FILE]    print what every source gives here and whether the hub is reached
proven-agent join <wss-url> --token T --fingerprint F [--config FILE]
                                        remember a hub outside of this cluster
proven-agent --version | --help
`;

export const defaultConfigPath = "/etc/proven/agent.toml";

export type Command =
  | { do: "run" | "check"; configPath: string; configGiven: boolean }
  | { do: "join"; configPath: string; configGiven: boolean; url: string; token: string; fingerprint: string }
  | { do: "version" | "help" }
  /** What the agent starts itself by, never a person: one check in a namespace, one archive read to its end. */
  | { do: "sandbox-check" | "archive-check" }
  | { do: "refuse"; problem: string };

/** The words behind `proven-agent`. */
export function parseCommand(args: readonly string[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        check: { type: "boolean", default: false },
        version: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        token: { type: "string" },
        fingerprint: { type: "string" },
      },
    });
    if (values.help) return { do: "help" };
    if (values.version) return { do: "version" };
    const config = { configPath: values.config ?? defaultConfigPath, configGiven: values.config !== undefined };
    const [verb, url, ...more] = positionals;
    if ((verb === "sandbox-check" || verb === "archive-check") && url === undefined) return { do: verb };
    if (verb === undefined) return { do: values.check ? "check" : "run", ...config };
    if (verb !== "join" || more.length > 0) return { do: "refuse", problem: `unknown command: ${positionals.join(" ")}` };
    const { token, fingerprint } = values;
    if (url === undefined || token === undefined || fingerprint === undefined) {
      return { do: "refuse", problem: "join needs the hub's address, --token and --fingerprint" };
    }
    return { do: "join", ...config, url, token, fingerprint };
  } catch (error) {
    return { do: "refuse", problem: error instanceof Error ? error.message : String(error) };
  }
}
