import { readdir, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { nodeKey } from "#protocol/ids.ts";
import { errorCode } from "../core/error.ts";
import type { SampleTable } from "../core/table.ts";
import type { Clock, ReadText } from "../ports.ts";
import { fileProblem } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import { counted, instanceName, minuteMs, type NodeSight, type SlowSource } from "./slow-source.ts";

const ids = idsOf("node");
const source = "hwmon";
const folder = "/sys/class/hwmon";
const sensorsMax = 64;
const scanEveryMs = 10 * minuteMs;
// It asks the disks themselves, and some take that as use and stay awake; SMART tells their temperatures.
const askDisks = new Set(["drivetemp"]);

export type Sensor = { chip: string; device: string; label: string };

/** m°C as the kernel writes them (Documentation/hwmon/sysfs-interface); NaN for what no thermometer says. */
export function parseMilliCelsius(text: string): number {
  const celsius = /^-?\d+\s*$/.test(text) ? Number(text) / 1000 : Number.NaN;
  return celsius > -60 && celsius < 200 ? celsius : Number.NaN;
}

/** `k10temp/Tctl`; with the device where several chips have the name (`nvme@nvme0/Composite`). */
export function sensorName({ chip, device, label }: Sensor, sensors: readonly Sensor[]): string {
  const several = sensors.some((other) => other.chip === chip && other.device !== device);
  return instanceName(`${chip}${several ? `@${device}` : ""}/${label}`);
}

/** Temperatures of the node, from the kernel's files alone, every minute beside the samples: a slow bus may take its time. */
export class SensorSource implements SlowSource {
  readonly name = source;
  readonly version = 0;
  readonly lendMs = 3 * minuteMs;
  readonly patienceMs = minuteMs / 2;
  problem: string | undefined;
  private sensors: readonly { name: string; celsius: number }[] = [];
  private inputs: readonly (Sensor & { path: string })[] = [];
  private scannedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly root: string,
    private readonly read: ReadText,
    private readonly clock: Clock,
  ) {}

  everyMs(): number | undefined {
    return minuteMs;
  }

  found(): string {
    return counted(this.sensors.length, "temperature");
  }

  async refresh(): Promise<void> {
    if (this.clock.monotonicMs() - this.scannedMs > scanEveryMs) await this.scan();
    const sensors: { name: string; celsius: number }[] = [];
    for (const input of this.inputs) {
      const celsius = parseMilliCelsius((await this.word(input.path)) ?? "");
      sensors.push({ name: sensorName(input, this.inputs), celsius });
    }
    this.sensors = sensors.filter(({ celsius }) => Number.isFinite(celsius));
  }

  /** Which thermometers there are: chips come and go with their modules, seldom. */
  private async scan(): Promise<void> {
    this.problem = undefined;
    const found: (Sensor & { path: string })[] = [];
    for (const chip of (await this.list(folder)) ?? []) found.push(...(await this.scanChip(join(folder, chip))));
    this.inputs = found.slice(0, sensorsMax);
    this.scannedMs = this.clock.monotonicMs();
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">): void {
    const entity = table.entity(nodeKey(node));
    for (const { name, celsius } of this.sensors) table.put(entity, ids.temperature, source, celsius, name);
  }

  private async scanChip(path: string): Promise<(Sensor & { path: string })[]> {
    const chip = await this.word(`${path}/name`);
    if (chip === undefined || askDisks.has(chip)) return [];
    const device = await readlink(join(this.root, path, "device")).then(basename, () => basename(path));
    const inputs = ((await this.list(path)) ?? []).filter((file) => /^temp\d+_input$/.test(file));
    const sensors: (Sensor & { path: string })[] = [];
    for (const input of inputs) {
      const sensor = input.slice(0, -"_input".length);
      const label = (await this.word(`${path}/${sensor}_label`)) ?? sensor;
      sensors.push({ chip, device, label, path: `${path}/${input}` });
    }
    return sensors;
  }

  /** A sensor that can't be read now (ENODATA) is absent, and no problem of ours. */
  private async word(path: string): Promise<string | undefined> {
    const file = await this.read(path, 256);
    return file.ok && file.text.trim() !== "" ? file.text.trim() : undefined;
  }

  private async list(path: string): Promise<string[] | undefined> {
    try {
      return (await readdir(join(this.root, path))).sort();
    } catch (error) {
      if (errorCode(error) !== "ENOENT") this.problem = fileProblem(path, errorCode(error));
      return undefined;
    }
  }
}
