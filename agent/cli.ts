import { parseArgs } from "node:util";
import { parseVmid } from "#protocol/ids.ts";
import { errorMessage } from "./core/error.ts";
import type { LocalTest } from "./restore/local.ts";

export const usage = `proven-agent [--config FILE]            sample this node and send to the hub
proven-agent --check [--config FILE]    print what every source gives here and whether the hub is reached
proven-agent doctor [--config FILE]     look for the usual troubles and say what to do about them
proven-agent join <wss-url> --token T --fingerprint F [--config FILE]
                                        remember a hub outside of this cluster; with --token - the token is read from standard input
proven-agent key show [--config FILE]   print the public key that the hub knows this agent by
proven-agent key rotate [--config FILE] make a new key; the running agent hands it to the hub within a minute
proven-agent restore-test --guest VMID [--backup VOLID] [--storage ID] [--keep SECONDS] [--dry-run] [--config FILE]
                                        restore a backup as an isolated test guest, see whether it boots, and remove it
proven-agent clear-up [--config FILE]   end and remove what restore tests left here, kept guests too; the service must have stopped
proven-agent --version | --help

restore-test needs no hub. It obeys [restore_test] of agent.toml: which numbers test guests get, how much memory, which storages.
  --guest VMID    the guest whose backup it is; it is not touched
  --backup VOLID  which backup, as "pvesm list" names it; without it the newest one that this node sees
  --storage ID    where the disks of the test guest go; without it where those of the guest are
  --keep SECONDS  leave the test guest running so long before it is removed; Ctrl-C ends the test and removes it
  --dry-run       print every call it would make and what of the configuration would not come along; make none
Exit codes: 0 the backup was proven (or would be tried), 1 it was not, 2 the test was refused.
`;

const defaultConfigPath = "/etc/proven/agent.toml";

export type Command =
  | { do: "run" | "check" | "doctor" | "clear-up" | "key-show" | "key-rotate"; configPath: string; configGiven: boolean }
  | { do: "join"; configPath: string; configGiven: boolean; url: string; token: string; fingerprint: string }
  | { do: "restore-test"; configPath: string; configGiven: boolean; test: LocalTest }
  | { do: "version" | "help" }
  /** What the agent starts itself by, never a person: one check in a namespace, one archive read to its end, the machine looked at. */
  | { do: "sandbox-check" | "archive-check" | "hardware-check" }
  | { do: "refuse"; problem: string };

const ownWords = ["sandbox-check", "archive-check", "hardware-check"] as const;
const isOwnWord = (word: string | undefined): word is (typeof ownWords)[number] => ownWords.some((own) => own === word);

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
        guest: { type: "string" },
        backup: { type: "string" },
        storage: { type: "string" },
        keep: { type: "string" },
        "dry-run": { type: "boolean", default: false },
      },
    });
    if (values.help) return { do: "help" };
    if (values.version) return { do: "version" };
    const config = { configPath: values.config ?? defaultConfigPath, configGiven: values.config !== undefined };
    const [verb, url, ...more] = positionals;
    if (isOwnWord(verb) && url === undefined) return { do: verb };
    if (verb === undefined) return { do: values.check ? "check" : "run", ...config };
    if (verb === "restore-test" && url === undefined) return restoreTest(values, config);
    if ((verb === "doctor" || verb === "clear-up") && url === undefined) return { do: verb, ...config };
    if (verb === "key" && (url === "show" || url === "rotate") && more.length === 0) return { do: `key-${url}`, ...config };
    if (verb !== "join" || more.length > 0) return { do: "refuse", problem: `unknown command: ${positionals.join(" ")}` };
    const { token, fingerprint } = values;
    if (url === undefined || token === undefined || fingerprint === undefined) {
      return { do: "refuse", problem: "join needs the hub's address, --token and --fingerprint" };
    }
    return { do: "join", ...config, url, token, fingerprint };
  } catch (error) {
    return { do: "refuse", problem: errorMessage(error) };
  }
}

type RestoreWords = {
  guest?: string | undefined;
  backup?: string | undefined;
  storage?: string | undefined;
  keep?: string | undefined;
  "dry-run": boolean;
};

function restoreTest(words: RestoreWords, config: { configPath: string; configGiven: boolean }): Command {
  const guest = parseVmid(words.guest);
  const keepSec = words.keep === undefined ? 0 : Number(words.keep);
  if (guest === undefined) return { do: "refuse", problem: "restore-test needs --guest with a guest's number" };
  if (!Number.isInteger(keepSec) || keepSec < 0 || keepSec > 86_400) {
    return { do: "refuse", problem: "--keep takes seconds, at most 86400" };
  }
  const { backup, storage, "dry-run": dryRun } = words;
  return { do: "restore-test", ...config, test: { guest, backup, storage, keepSec, dryRun } };
}
