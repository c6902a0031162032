import type { Systeminformation } from "systeminformation";
import type { HardwareFacts } from "#protocol/inventory.ts";

/** What systeminformation 5 answered to its calls of these names. Sizes are bytes, speeds of memory millions of transfers a second. */
export type HardwareAnswers = {
  system: Pick<Systeminformation.SystemData, "manufacturer" | "model" | "serial">;
  baseboard: Pick<Systeminformation.BaseboardData, "manufacturer" | "model" | "version" | "serial">;
  bios: Pick<Systeminformation.BiosData, "vendor" | "version" | "releaseDate">;
  cpu: Pick<Systeminformation.CpuData, "manufacturer" | "brand" | "processors" | "physicalCores" | "cores">;
  memory: readonly Pick<
    Systeminformation.MemLayoutData,
    "size" | "bank" | "type" | "clockSpeed" | "formFactor" | "manufacturer" | "partNum" | "serialNum"
  >[];
};

const modulesMax = 128;
/** The library counts a terabyte as a megabyte; no module of today is so small. */
const moduleMinBytes = 16 << 20;

/** What vendors, dmidecode and the library write where they know nothing. */
const placeholder = new RegExp(
  `^(${[
    "(to be )?filled by o\\.?e\\.?m\\.?",
    "o\\.?e\\.?m\\.?",
    "default( string)?",
    "not (specified|available|applicable|provided|present|defined|settable)",
    "system (manufacturer|product name|version|serial number)",
    "(base ?board|chassis|product) (manufacturer|product name|version|serial number|name)",
    "(manufacturer|ser(ial)? ?num(ber)?|part ?num(ber)?|module ?manufacturer|bank ?locator)\\d*",
    "no (dimm|module installed)",
    "<(out of spec|bad index)>",
    "none|null|empty|unknown|undefined|invalid|n/?a",
    "(0x)?(0+|f{4,})",
    "0?123456789(abcdef)?",
    "[-.x*?_ ]+",
  ].join("|")})$`,
  "i",
);

/** What the library says of a machine that says nothing. */
const libraryModels = new Set(["Computer", "Virtual machine", "Docker Container"]);

function known(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const text = value
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 100)
    .trim();
  return text === "" || placeholder.test(text) ? undefined : text;
}

const counted = (value: number) => (Number.isSafeInteger(value) && value > 0 ? value : undefined);

/** Without what is unknown. */
function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ReturnType<typeof present<T>>;
}

/**
 * SMBIOS writes month/day/year (its specification, type 0); the library takes it for day/month/year and gives 2023-15-03 for the 15th of March.
 * @returns `2023-03-15`; undefined for what is no date.
 */
function firmwareDate(date: unknown): string | undefined {
  const [, year, day, month] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(typeof date === "string" ? date : "") ?? [];
  if (year === undefined || !(Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= 31))
    return undefined;
  return `${year}-${month}-${day}`;
}

function cpuModel({ manufacturer, brand }: HardwareAnswers["cpu"]): string | undefined {
  const [maker, model] = [known(manufacturer), known(brand)];
  if (model === undefined || maker === undefined || model.toLowerCase().includes(maker.toLowerCase())) return model;
  return `${maker} ${model}`.slice(0, 100);
}

/** Without dmidecode's answer the library invents one module as large as all memory; it alone has neither type nor form. */
function memoryFacts(modules: HardwareAnswers["memory"]): HardwareFacts["memory"] {
  const [only] = modules;
  if (only === undefined || (modules.length === 1 && only.type === "" && only.formFactor === "")) return undefined;
  const filled = modules.flatMap((module, index) => (module.size > 0 ? [{ module, place: index + 1 }] : []));
  return {
    emptySlots: modules.length - filled.length,
    modules: filled.slice(0, modulesMax).map(({ module, place }) => ({
      place,
      ...present({
        slot: known(module.bank),
        sizeBytes: module.size >= moduleMinBytes ? counted(module.size) : undefined,
        type: known(module.type),
        speed: counted(module.clockSpeed ?? 0),
        maker: known(module.manufacturer),
        part: known(module.partNum),
        serial: known(module.serialNum),
      }),
    })),
  };
}

/** What is known of the machine. `sight`: whether its firmware has an SMBIOS table, and whether dmidecode is there to read it. */
export function hardwareFacts(answers: HardwareAnswers, sight: { smbios: boolean; dmidecode: boolean }): HardwareFacts {
  const { system, baseboard, bios, cpu } = answers;
  const memory = memoryFacts(answers.memory);
  const missing = !sight.smbios ? "smbios" : !sight.dmidecode ? "dmidecode" : "modules";
  return {
    ...present({
      maker: known(system.manufacturer),
      model: libraryModels.has(system.model) ? undefined : known(system.model),
      serial: known(system.serial),
    }),
    board: present({
      maker: known(baseboard.manufacturer),
      model: known(baseboard.model),
      version: known(baseboard.version),
      serial: known(baseboard.serial),
    }),
    firmware: present({ maker: known(bios.vendor), version: known(bios.version), date: firmwareDate(bios.releaseDate) }),
    cpu: present({
      model: cpuModel(cpu),
      sockets: counted(cpu.processors),
      cores: counted(cpu.physicalCores),
      threads: counted(cpu.cores),
    }),
    ...(memory === undefined ? { missing } : { memory }),
  };
}
