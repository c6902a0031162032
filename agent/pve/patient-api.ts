import type { Clock } from "../ports.ts";
import type { ApiResult } from "./answer.ts";
import type { PveApi } from "./api.ts";

/** A Backup Server far away lists thousands of backups, and a volume on slow disks is removed, before PVE answers. */
const answerMs = 60_000;
/** Longer than pvedaemon needs to start anew: 3 s were seen, more on a busy node. */
const absentMs = 45_000;
const againMs = 1500;

/**
 * The API for what goes on for hours and should not come to nothing while pvedaemon is restarted, as by a package's upgrade. Only what nobody took on
 * is asked again, so that nothing is done twice.
 */
export function patientApi(api: PveApi, clock: Clock): PveApi {
  const patient =
    (send: PveApi["get"]): PveApi["get"] =>
    async (path, params, { timeoutMs = answerMs } = {}) => {
      const untilMs = clock.monotonicMs() + absentMs;
      for (;;) {
        const result = await send(path, params, { timeoutMs });
        if (!metNobody(result) || clock.monotonicMs() + againMs > untilMs) return result;
        await clock.sleep(againMs);
      }
    };
  return {
    get: patient(api.get),
    post: patient(api.post),
    put: patient(api.put),
    delete: patient(api.delete),
    awaitTask: api.awaitTask,
    close: api.close,
  };
}

const metNobody = (result: ApiResult) => !result.ok && result.error.status === 0 && result.error.reason === "ECONNREFUSED";
