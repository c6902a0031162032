import type { Command } from "./commands.ts";
import { type DiskReading, readDisk } from "./hardware.ts";
import type { DiskSpec } from "./spec.ts";

/** `smartctl --json=c -a [-n standby] /dev/X` of smartmontools 7; shape after its manual, never seen from a real node. */

function report(disk: DiskSpec, path: string, reading: DiskReading): Record<string, unknown> {
  const { wornPercent: worn, powerOnHours } = reading;
  const common = {
    json_format_version: [1, 0],
    smartctl: { version: [7, 4], argv: ["smartctl", "--json=c", "-a", path], exit_status: 0 },
    device: {
      name: path,
      info_name: path,
      type: disk.kind === "nvme" ? "nvme" : "sat",
      protocol: disk.kind === "nvme" ? "NVMe" : "ATA",
    },
    model_name: disk.model,
    serial_number: disk.serial,
    user_capacity: { blocks: disk.sizeBytes / 512, bytes: disk.sizeBytes },
    smart_status: { passed: reading.passed },
    temperature: { current: reading.celsius },
    power_on_time: { hours: powerOnHours },
    power_cycle_count: 42,
  };
  if (disk.kind === "nvme") {
    return {
      ...common,
      nvme_smart_health_information_log: {
        critical_warning: 0,
        temperature: common.temperature.current,
        available_spare: 100,
        available_spare_threshold: 10,
        percentage_used: worn,
        data_units_read: 91_204_332,
        data_units_written: 120_331_204,
        power_on_hours: powerOnHours,
        unsafe_shutdowns: 11,
        media_errors: reading.mediaErrors,
        num_err_log_entries: 0,
      },
    };
  }
  const attribute = (id: number, name: string, value: number, raw: number) => ({
    id,
    name,
    value,
    worst: value,
    thresh: 0,
    when_failed: "",
    raw: { value: raw, string: String(raw) },
  });
  const table = [
    attribute(5, "Reallocated_Sector_Ct", 100, reading.reallocated),
    attribute(9, "Power_On_Hours", 97, powerOnHours),
    attribute(177, "Wear_Leveling_Count", 100 - worn, worn * 30),
    attribute(197, "Current_Pending_Sector", 100, reading.pending),
    attribute(199, "CRC_Error_Count", 100, reading.crcErrors),
  ];
  return { ...common, rotation_rate: 0, ata_smart_attributes: { revision: 1, table } };
}

const knownFlags = new Set(["--json=c", "--json", "-j", "-a", "--all", "-i", "-H", "-A"]);

export const smartctl: Command = ({ world, node, at }, argv) => {
  let path: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] as string;
    if (arg === "-n" || arg === "-d") i++;
    else if (!arg.startsWith("-")) path = arg;
    else if (!knownFlags.has(arg)) return { code: 1, stdout: "", stderr: `=======> UNRECOGNIZED OPTION: ${arg}\n` };
  }
  if (path === undefined)
    return { code: 1, stdout: "", stderr: "ERROR: smartctl requires a device name as the final command-line argument.\n" };
  const disk = node.spec.disks.find(({ name }) => path === `/dev/${name}`);
  if (disk === undefined) {
    const messages = [{ string: `Smartctl open device: ${path} failed: No such device`, severity: "error" }];
    return {
      code: 2,
      stdout: `${JSON.stringify({ json_format_version: [1, 0], smartctl: { messages, exit_status: 2 } })}\n`,
      stderr: "",
    };
  }
  const standby = argv[argv.indexOf("-n") + 1]?.startsWith("standby") === true && argv.includes("-n");
  if (standby && world.sleepingDisks.has(`${node.spec.name}/${disk.name}`)) {
    const messages = [{ string: "Device is in STANDBY mode, exit(2)", severity: "information" }];
    const body = { json_format_version: [1, 0], smartctl: { messages, exit_status: 2 }, device: { name: path } };
    return { code: 2, stdout: `${JSON.stringify(body)}\n`, stderr: "" };
  }
  const reading = readDisk(world, node, disk, at);
  // Bit 3: the disk says that it is failing (smartctl(8), EXIT STATUS).
  return { code: reading.passed ? 0 : 8, stdout: `${JSON.stringify(report(disk, path, reading))}\n`, stderr: "" };
};
