import type { HardwareFacts } from "#protocol/inventory.ts";
import type { CommandResult } from "./control-server.ts";
import { hash32, hexOf } from "./random.ts";
import type { NodeSpec } from "./spec.ts";

/**
 * What the agent's process for the hardware prints on a node of the lab. Every third machine has no SMBIOS table, as some virtual ones have none:
 * the first of three, so that a lab of one node has it too, is not.
 */
export function machineOf(node: NodeSpec): HardwareFacts {
  const sockets = node.cpuModel.startsWith("Intel") ? 2 : 1;
  const cpu = { model: node.cpuModel, sockets, cores: node.cpus / 2, threads: node.cpus };
  if (node.id % 3 === 2) return { board: {}, firmware: {}, cpu, missing: "smbios" };
  const serial = (part: string) => hexOf(`${node.name} ${part}`, 4).toUpperCase();
  const moduleBytes = 16 * 2 ** 30;
  const filled = Math.ceil(node.memBytes / moduleBytes);
  const modules = Array.from({ length: filled }, (_, index) => ({
    place: index + 1,
    slot: `P0 CHANNEL ${String.fromCharCode(65 + index)}`,
    sizeBytes: moduleBytes,
    type: "DDR4",
    speed: 3200,
    maker: "Samsung",
    part: "M393A2K43DB3-CWE",
    serial: serial(`module ${index}`),
  }));
  return {
    maker: "Supermicro",
    model: "AS -1114S-WN10RT",
    serial: `S${hash32(`${node.name} machine`) % 1_000_000_000}`,
    board: { maker: "Supermicro", model: "H12SSW-NTR", version: "1.02", serial: serial("board") },
    firmware: { maker: "American Megatrends Inc.", version: "2.5", date: "2023-03-15" },
    cpu,
    memory: { emptySlots: 16 - filled, modules },
  };
}

/** `ionice` of the lab runs nothing else. */
export function ionice(node: NodeSpec, argv: readonly string[]): CommandResult {
  if (argv.at(-1) !== "hardware-check") return { code: 127, stdout: "", stderr: `ionice: failed to execute ${argv.at(-1)}\n` };
  return { code: 0, stdout: `${JSON.stringify(machineOf(node))}\n`, stderr: "" };
}
