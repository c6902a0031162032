import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelRelease, pveVersion } from "./config-files.ts";
import type { CommandResult } from "./control-server.ts";
import { chipCelsius } from "./hardware.ts";
import { lvm } from "./lvm-command.ts";
import { ionice } from "./machine.ts";
import { realPrograms, restoreCommands, sandboxPrograms } from "./restore-commands.ts";
import type { RestoreLab } from "./restore-lab.ts";
import { smartctl } from "./smart-command.ts";
import type { LabNode, World } from "./world.ts";
import { zfs, zpool } from "./zfs-commands.ts";

/** A fake command: arguments in, output out, at a time of the lab. */
export type Command = (context: { world: World; node: LabNode; at: number }, argv: readonly string[]) => CommandResult;

const ok = (stdout: string): CommandResult => ({ code: 0, stdout, stderr: "" });
const failed = (code: number, stderr: string): CommandResult => ({ code, stdout: "", stderr });

const pveversion: Command = (_, argv) => {
  if (argv.length > 0) return failed(255, `Unknown option: ${argv[0]}\n400 unable to parse option\n`);
  return ok(`pve-manager/${pveVersion.version}/${pveVersion.repoid} (running kernel: ${kernelRelease})\n`);
};

/** lm-sensors' `sensors -j`; shape after its manual page, never seen from a real node. */
const sensors: Command = ({ world, node, at }, argv) => {
  if (argv.join(" ") !== "-j") return failed(1, "Usage: sensors [OPTION]... [CHIP]...\n");
  const celsius = chipCelsius(world, node, at);
  return ok(`${JSON.stringify({ "k10temp-pci-00c3": { Adapter: "PCI adapter", Tctl: { temp1_input: celsius } } }, null, 3)}\n`);
};

const commands: Record<string, Command> = {
  ...{ zpool, zfs, lvs: lvm("lvs"), vgs: lvm("vgs"), smartctl, pveversion, sensors },
  ionice: ({ node }, argv) => ionice(node.spec, argv),
};

export async function runCommand(
  restores: RestoreLab,
  node: LabNode,
  name: string,
  argv: readonly string[],
): Promise<CommandResult> {
  const { world, schedule } = restores;
  const own = restoreCommands[name];
  if (own !== undefined) return own(restores, node, argv);
  const command = commands[name];
  return command === undefined ? failed(127, `${name}: command not found\n`) : command({ world, node, at: schedule.now() }, argv);
}

/** Asks the lab and prints what it says. Plain Node without dependencies: it is run wherever the lab's folder is. */
const clientText = (port: number) => `const { request } = require("node:http");
const [node, name, ...argv] = process.argv.slice(2);
const body = JSON.stringify({ node, name, argv });
const ask = request({ host: "127.0.0.1", port: ${port}, method: "POST", path: "/command" }, (answer) => {
  let text = "";
  answer.on("data", (chunk) => (text += chunk));
  answer.on("end", () => {
    const { code, stdout, stderr } = JSON.parse(text);
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    process.exitCode = code;
  });
});
ask.on("error", () => {
  process.stderr.write("the lab does not answer\\n");
  process.exitCode = 1;
});
ask.end(body);
`;

/** Puts one executable per command into the node's bin folder. `port`: of the control API. */
export function installCommands(dir: string, nodes: Iterable<string>, port: number, realSandboxes: boolean): void {
  const client = join(dir, "lab-command.cjs");
  writeFileSync(client, clientText(port));
  for (const node of nodes) {
    const bin = join(dir, "nodes", node, "bin");
    mkdirSync(bin, { recursive: true });
    const install = (name: string, script: string) => {
      const path = join(bin, name);
      writeFileSync(path, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o755);
    };
    const ask = (name: string) => `'${process.execPath}' '${client}' '${node}' '${name}' "$@"`;
    for (const name of [...Object.keys(commands), ...Object.keys(restoreCommands)]) install(name, `exec ${ask(name)}`);
    install("kill", `rest=$(${ask("kill")}) || exit 1\n[ -z "$rest" ] || exec /usr/bin/kill "$1" $rest`);
    install("flock", `${ask("flock")} || exit 1\nexec /usr/bin/flock "$@"`);
    // Unpacking works on true bytes; only what is asked of an archive by its name is the lab's.
    for (const name of ["zstd", "gzip", "lzop"]) {
      install(name, `case " $* " in *" -d "*) exec /usr/bin/${name} "$@" ;; esac\nexec ${ask(name)}`);
    }
    for (const [name, path] of Object.entries({ ...realPrograms, ...(realSandboxes ? sandboxPrograms : {}) }))
      install(name, `exec ${path} "$@"`);
  }
}
