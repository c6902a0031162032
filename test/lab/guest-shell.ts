import type { CommandResult } from "./control-server.ts";
import { propertiesOf } from "./guest-file.ts";
import type { GuestRuntime } from "./guest-runtime.ts";
import type { Guest } from "./world.ts";

const out = (stdout: string, code = 0): CommandResult => ({ code, stdout, stderr: "" });
const error = (code: number, stderr: string): CommandResult => ({ code, stdout: "", stderr });

const osRelease = `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
ID=debian
`;

/** Reads of a disk inside: 256 MiB in half a second, and so many random ones a second. */
function readDisk(guest: Guest, argv: readonly string[]): CommandResult {
  const device = new Map(argv.slice(1).flatMap(propertiesOf)).get("if") ?? argv.at(-1) ?? "";
  if (!/^\/dev\/(sd|vd)[a-z]$/.test(device))
    return error(1, `${argv[0]}: failed to open '${device}': No such file or directory\n`);
  const index = device.charCodeAt(device.length - 1) - 97;
  if (guest.life.spec.drives[index] === undefined) {
    return error(1, `${argv[0]}: failed to open '${device}': No such file or directory\n`);
  }
  if (argv[0] === "python3") return out("14208\n");
  const said = "256+0 records in\n256+0 records out\n268435456 bytes (268 MB, 256 MiB) copied, 0.53 s, 506 MB/s\n";
  return { code: 0, stdout: "", stderr: said };
}

function units(down: ReadonlySet<string>, argv: readonly string[]): CommandResult {
  const [, verb, ...names] = argv.filter((word) => !word.startsWith("--"));
  if (verb === "is-system-running") return down.size === 0 ? out("running\n") : out("degraded\n", 1);
  if (verb !== "is-active") return error(1, `Unknown command verb '${verb}'.\n`);
  const states = names.map((name) => (down.has(name) || down.has(name.replace(/\.service$/, "")) ? "inactive" : "active"));
  return out(states.map((state) => `${state}\n`).join(""), states.includes("inactive") ? 3 : 0);
}

function processes(down: ReadonlySet<string>, argv: readonly string[]): CommandResult {
  const name = argv.at(-1) ?? "";
  return down.has(name) ? out("", 1) : out("412\n");
}

function disks(guest: Guest): CommandResult {
  const lines = guest.life.spec.drives.map(({ sizeBytes }, index) => `sd${String.fromCharCode(97 + index)} ${sizeBytes} disk\n`);
  return out(lines.join(""));
}

/**
 * What a command prints inside a restored guest that is up. A test's own answers come first (`Behaviour.answers`); the rest is what a small Debian
 * would say. Nothing of a real guest was recorded beyond `true`, `ls` and `md5sum` in a container.
 */
export function runInGuest(runtime: GuestRuntime, guest: Guest, argv: readonly string[]): CommandResult {
  const { down, answers } = runtime.of(guest.life.spec.vmid);
  const own = answers(argv);
  if (own !== undefined) return own;
  const [name = "", ...rest] = argv;
  switch (name.slice(name.lastIndexOf("/") + 1)) {
    case "sh":
    case "true":
      return out("");
    case "false":
      return out("", 1);
    case "echo":
      return out(`${rest.join(" ")}\n`);
    case "hostname":
      return out(`${guest.life.spec.name}\n`);
    case "systemctl":
      return units(down, argv);
    case "pgrep":
    case "pidof":
      return processes(down, argv);
    case "lsblk":
      return disks(guest);
    case "dd":
    case "python3":
      return readDisk(guest, argv);
    case "cat":
      return rest[0] === "/etc/os-release" ? out(osRelease) : error(1, `cat: ${rest[0]}: No such file or directory\n`);
    default:
      return error(127, `${name}: command not found\n`);
  }
}
