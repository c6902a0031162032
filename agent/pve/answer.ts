import { asNumber, asObject, asText, parseJsonObject } from "../core/values.ts";

/** Why a call was refused or came to nothing. */
export type ApiError = {
  /** HTTP status; 0: there was no answer (refused connection, timeout, no key for a ticket). */
  status: number;
  /** PVE's own text; it stands in the status line. */
  reason: string;
  /** Parameter → what is wrong with it. */
  errors: Readonly<Record<string, string>>;
};

export type ApiResult = { ok: true; data: unknown } | { ok: false; error: ApiError };

export const noAnswer = (reason: string): ApiResult => ({ ok: false, error: { status: 0, reason, errors: {} } });

/** An answer of `/api2/json` (pve-http-server `PVE/APIServer/Formatter/Standard.pm`): error bodies may be empty, plain text or JSON. */
export function parseAnswer(status: number, statusMessage: string, body: string): ApiResult {
  const json = parseJsonObject(body);
  if (status >= 200 && status < 300) {
    return json === undefined ? noAnswer(`status ${status}, but the body is not JSON`) : { ok: true, data: json.data };
  }
  const reason = statusMessage.trim() || asText(json?.message)?.trim() || `status ${status}`;
  const fields = Object.entries(asObject(json?.errors) ?? {}).map(([field, text]) => [field, String(text).trim()]);
  return { ok: false, error: { status, reason, errors: Object.fromEntries(fields) } };
}

/** `running`, or how the task ended: PVE's text (`OK`, `WARNINGS: n`, an error). */
export type TaskState = { running: true } | { running: false; exitStatus: string };

/** Data of `GET /nodes/{node}/tasks/{upid}/status`; `exitstatus` exists only when it has stopped. */
export function parseTaskStatus(data: unknown): TaskState | undefined {
  const task = asObject(data);
  if (task?.status === "running") return { running: true };
  if (task?.status !== "stopped") return undefined;
  return { running: false, exitStatus: asText(task.exitstatus) ?? "unexpected status" };
}

export type NodeStatus = { pveVersion?: string; kernel?: string; cpuModel?: string; cpus?: number };

/** Data of `GET /nodes/{node}/status`. */
export function parseNodeStatus(data: unknown): NodeStatus {
  const status = asObject(data);
  const cpu = asObject(status?.cpuinfo);
  const pveVersion = asText(status?.pveversion)?.slice(0, 200);
  const kernel = asText(asObject(status?.["current-kernel"])?.release)?.slice(0, 200);
  const cpuModel = asText(cpu?.model)?.slice(0, 200);
  const cpus = asNumber(cpu?.cpus);
  return {
    ...(pveVersion === undefined ? {} : { pveVersion }),
    ...(kernel === undefined ? {} : { kernel }),
    ...(cpuModel === undefined ? {} : { cpuModel }),
    ...(Number.isInteger(cpus) && cpus > 0 ? { cpus } : {}),
  };
}
