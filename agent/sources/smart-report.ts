import { asNumber, asObject, asObjects, asText, type JsonObject, parseJsonObject } from "../core/values.ts";

/** One disk as it describes itself; NaN: it does not say. `wear` 0 … (may exceed 1). */
export type SmartReport = {
  model?: string;
  serial?: string;
  sizeBytes: number;
  celsius: number;
  wear: number;
  spare: number;
  reallocated: number;
  pending: number;
  mediaErrors: number;
  crcErrors: number;
  powerOnSec: number;
  /** 1 or 0. */
  healthy: number;
};

/** `asleep`: the disk was not woken. `none`: nothing there answers SMART, `problem` says what smartctl said. */
export type SmartAnswer = { state: "read"; report: SmartReport } | { state: "asleep" } | { state: "none"; problem: string };

// smartctl(8), EXIT STATUS: only these two say that nothing was read; the others are the disk's state.
const commandFailed = 1;
const openFailed = 2;

/** ATA attributes whose normalized value is the life that is left, in percent; names as smartctl's drive database gives them. */
const lifeLeft = new Set([
  "Wear_Leveling_Count",
  "Media_Wearout_Indicator",
  "SSD_Life_Left",
  "Percent_Lifetime_Remain",
  "Percent_Life_Remaining",
  "Remaining_Lifetime_Perc",
  "Lifetime_Remaining%",
]);

/**
 * What `smartctl --json=c -n standby -a` of smartmontools 7 printed, and its exit code. Never seen from a real node: fields after smartmontools'
 * own JSON output code. With `-n standby` a sleeping disk ends it with 2 and without a message of severity `error`.
 */
export function parseSmart(text: string, code: number): SmartAnswer {
  const json = parseJsonObject(text);
  if (json === undefined) return { state: "none", problem: `smartctl ended with ${code}` };
  if ((code & (commandFailed | openFailed)) !== 0) {
    const message = errorMessage(json);
    if (message === undefined && code === openFailed) return { state: "asleep" };
    return { state: "none", problem: (message ?? `smartctl ended with ${code}`).slice(0, 200) };
  }
  const report = readReport(json);
  const values = [report.celsius, report.wear, report.powerOnSec, report.healthy];
  if (values.every((value) => Number.isNaN(value))) return { state: "none", problem: "it tells no SMART values" };
  return { state: "read", report };
}

function errorMessage(json: JsonObject): string | undefined {
  const messages = asObjects(asObject(json.smartctl)?.messages);
  return asText(messages.find(({ severity }) => severity === "error")?.string);
}

function readReport(json: JsonObject): SmartReport {
  const nvme = asObject(json.nvme_smart_health_information_log);
  const attributes = asObjects(asObject(json.ata_smart_attributes)?.table);
  const raw = (id: number) => asNumber(asObject(attributes.find((row) => row.id === id)?.raw)?.value);
  const passed = asObject(json.smart_status)?.passed;
  const model = asText(json.model_name) ?? asText(json.scsi_model_name);
  const serial = asText(json.serial_number);
  return {
    ...(model === undefined ? {} : { model: model.slice(0, 200) }),
    ...(serial === undefined ? {} : { serial: serial.slice(0, 100) }),
    sizeBytes: asNumber(asObject(json.user_capacity)?.bytes),
    celsius: asNumber(asObject(json.temperature)?.current),
    wear: wearOf(json, nvme, attributes),
    spare: asNumber(nvme?.available_spare) / 100,
    reallocated: first(raw(5), asNumber(json.scsi_grown_defect_list)),
    pending: raw(197),
    mediaErrors: first(asNumber(nvme?.media_errors), raw(187), scsiUncorrected(json)),
    crcErrors: raw(199),
    powerOnSec: asNumber(asObject(json.power_on_time)?.hours) * 3600,
    healthy: typeof passed === "boolean" ? Number(passed) : Number.NaN,
  };
}

/** What a SAS disk could not read, write or verify even with all its corrections (`scsiPrintErrorCounterLog` in smartmontools' scsiprint.cpp). */
function scsiUncorrected(json: JsonObject): number {
  const pages = Object.values(asObject(json.scsi_error_counter_log) ?? {});
  const counts = pages.map((page) => asNumber(asObject(page)?.total_uncorrected_errors)).filter(Number.isFinite);
  return counts.length === 0 ? Number.NaN : counts.reduce((sum, count) => sum + count, 0);
}

/** Used life: as the disk's own endurance indicator says, else what is left by its attribute. */
function wearOf(json: JsonObject, nvme: JsonObject | undefined, attributes: readonly JsonObject[]): number {
  const used = first(
    asNumber(nvme?.percentage_used),
    asNumber(asObject(json.endurance_used)?.current_percent),
    asNumber(json.scsi_percentage_used_endurance_indicator),
  );
  if (Number.isFinite(used)) return used / 100;
  const left = asNumber(attributes.find((row) => lifeLeft.has(asText(row.name) ?? ""))?.value);
  return left >= 0 && left <= 100 ? 1 - left / 100 : Number.NaN;
}

const first = (...values: number[]) => values.find((value) => Number.isFinite(value)) ?? Number.NaN;
