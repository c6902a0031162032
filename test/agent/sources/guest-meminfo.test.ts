import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMemoryAnswer } from "../../../agent/sources/guest-meminfo.ts";
import { fc } from "../../support/property.ts";

const text =
  "MemTotal:        2031616 kB\nMemFree:          102400 kB\nMemAvailable:    1126400 kB\nBuffers:           20480 kB\n";
const content = (content: unknown, more = {}) => parseMemoryAnswer({ ok: true, data: { content, "bytes-read": 1, ...more } });
const error = (status: number, reason: string) => parseMemoryAnswer({ ok: false, error: { status, reason, errors: {} } });

test("what a guest could take back at once is what is available and not free, and never less than nothing", () => {
  assert.deepEqual(content(text), { reclaimable: 1_048_576_000 });
  assert.deepEqual(content(text.replace("1126400", " 102000")), { reclaimable: 0 });
});

test("an answer that was cut off counts for nothing, nor does one without both figures", () => {
  const wrong = [
    content(text, { truncated: 1 }),
    content(text, { truncated: true }),
    content("MemTotal: 2031616 kB\nMemFree: 102400 kB\n"),
    content("MemTotal: 2031616 kB\nMemAvailable: 102400 kB\n"),
    content("MemFree: 102400 kB\nMemAvailable: 11264"),
    content(undefined),
    parseMemoryAnswer({ ok: true, data: null }),
  ];
  assert.deepEqual([...new Set(wrong)], ["refused"]);
});

test("a guest without the file, one that may not open it and a user who may not ask are refusals; a guest that can't answer now is none", () => {
  const reasons: [status: number, reason: string, became: string][] = [
    [500, "Agent error: failed to open file '/proc/meminfo': The system cannot find the path specified.", "refused"],
    [500, "Agent error: Command guest-file-open has been disabled: the command is not allowed", "refused"],
    [500, "Agent error: The command guest-file-open has been disabled for this instance", "refused"],
    [403, "Permission check failed (/vms/100, VM.GuestAgent.FileRead|VM.GuestAgent.Unrestricted)", "refused"],
    [501, "Method 'GET /nodes/localhost/qemu/100/agent/file-read' not implemented", "refused"],
    [500, "Agent error: Command guest-file-open has been disabled: the agent is in frozen state", "failed"],
    [500, "QEMU guest agent is not running", "failed"],
    [500, "VM 100 qga command 'guest-file-open' failed - got timeout", "failed"],
    [500, "VM 100 is not running", "failed"],
    [401, "permission denied - invalid PVE ticket", "failed"],
    [0, "no answer within 15000 ms", "failed"],
  ];
  assert.deepEqual(
    reasons.map(([status, reason]) => [status, reason, error(status, reason)]),
    reasons,
  );
});

test("whatever a guest answers, it is a number of bytes or a refusal", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.anything()), (data) => {
      const answer = content(data);
      assert.ok(answer === "refused" || (typeof answer === "object" && answer.reclaimable >= 0));
    }),
  );
});
