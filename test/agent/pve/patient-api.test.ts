import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiResult, noAnswer } from "../../../agent/pve/answer.ts";
import type { PveApi } from "../../../agent/pve/api.ts";
import { patientApi } from "../../../agent/pve/patient-api.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const started: ApiResult = { ok: true, data: "UPID:" };

/** A daemon that answers in this order, the last one for ever; and what it was asked. */
function daemon(...answers: ApiResult[]) {
  const asked: string[] = [];
  const next = async (path: string, _params?: object, options?: object) => {
    asked.push(`${path} ${JSON.stringify(options)}`);
    return (answers.length > 1 ? answers.shift() : answers[0]) as ApiResult;
  };
  const api: PveApi = { get: next, post: next, put: next, delete: next, awaitTask: async () => started, close: () => undefined };
  return { api, asked };
}

async function answered(clock: FakeClock, promise: Promise<ApiResult>): Promise<ApiResult> {
  let over = false;
  void promise.finally(() => {
    over = true;
  });
  while (!over) await clock.advance(1000);
  return promise;
}

test("a call that meets pvedaemon while it is restarted is made again, as nobody took it on", async () => {
  const clock = new FakeClock();
  const { api, asked } = daemon(noAnswer("ECONNREFUSED"), noAnswer("ECONNREFUSED"), started);
  assert.deepEqual(await answered(clock, patientApi(api, clock).post("/nodes/pve1/qemu")), started);
  assert.deepEqual(asked, Array(3).fill('/nodes/pve1/qemu {"timeoutMs":60000}'));
});

test("a call that was taken on is never made twice, whatever became of its answer", async () => {
  const clock = new FakeClock();
  for (const reason of ["ECONNRESET", "no answer within 60000 ms"]) {
    const { api, asked } = daemon(noAnswer(reason));
    assert.deepEqual(await answered(clock, patientApi(api, clock).put("/x")), noAnswer(reason));
    assert.equal(asked.length, 1);
  }
});

test("a daemon that stays away is given up", async () => {
  const clock = new FakeClock();
  const { api, asked } = daemon(noAnswer("ECONNREFUSED"));
  assert.deepEqual(await answered(clock, patientApi(api, clock).get("/x")), noAnswer("ECONNREFUSED"));
  assert.equal(asked.length, 31);
});
