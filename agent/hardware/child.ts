import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { baseboard, bios, cpu, memLayout, system } from "systeminformation";
import { hardwareFacts } from "./facts.ts";

const smbiosTables = "/sys/firmware/dmi/tables/DMI";

const isInstalled = (program: string) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));

/**
 * The hidden command `proven-agent hardware-check`: HardwareFacts as one line of JSON on stdout. A process of its own, because the library and the
 * shells it starts are nothing for the agent's memory and its ten seconds.
 */
export async function printHardware(): Promise<number> {
  const [machine, board, firmware, processor, memory] = await Promise.all([system(), baseboard(), bios(), cpu(), memLayout()]);
  const sight = { smbios: existsSync(smbiosTables), dmidecode: isInstalled("dmidecode") };
  const facts = hardwareFacts({ system: machine, baseboard: board, bios: firmware, cpu: processor, memory }, sight);
  await new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify(facts)}\n`, () => resolve()));
  return 0;
}
