import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { type CalendarEvent, nextInstants, parseCalendar } from "../../../hub/core/calendar.ts";

const at = (iso: string) => Date.parse(iso) as EpochMs;
const iso = (instant: number) => new Date(instant).toISOString().replace(".000Z", "Z");

function eventOf(text: string): CalendarEvent {
  const parsed = parseCalendar(text);
  assert.ok(parsed.ok, `${text}: ${JSON.stringify(parsed)}`);
  return parsed.event;
}
const next = (text: string, after: string, timezone: string, count = 1) =>
  nextInstants(eventOf(text), at(after), timezone, count).map(iso);

const weekdayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/** systemd's notation of the same event. */
function canonicalCalendar(event: CalendarEvent): string {
  const { weekdays, years, months, days, hours, minutes, seconds } = event;
  const join = (values: readonly number[], all: number, width = 2) =>
    values.length === all ? "*" : values.map((value) => String(value).padStart(width, "0")).join(",");
  const week = weekdays.length === 7 ? "" : `${weekdays.map((day) => weekdayNames[day - 1]).join(",")} `;
  const date = `${years === null ? "*" : years.join(",")}-${join(months, 12)}-${join(days, 31)}`;
  return `${week}${date} ${join(hours, 24)}:${join(minutes, 60)}:${join(seconds, 60)}`;
}

const canonical: [text: string, systemd: string][] = [
  ["daily", "*-*-* 00:00:00"],
  ["weekly", "mon *-*-* 00:00:00"],
  ["mon..fri 8..17,22:0/15", "mon,tue,wed,thu,fri *-*-* 08,09,10,11,12,13,14,15,16,17,22:00,15,30,45:00"],
  ["sat *-1..7 15:00", "sat *-*-01,02,03,04,05,06,07 15:00:00"],
  ["*/20", "*-*-* *:00,20,40:00"],
  ["mon..wed 30/10", "mon,tue,wed *-*-* *:30,40,50:00"],
  ["fri 12..13:5/20", "fri *-*-* 12,13:05,25,45:00"],
  ["sunday,wed", "wed,sun *-*-* 00:00:00"],
  ["2027-*-05 4:00:30", "2027-*-05 04:00:30"],
  ["5-31", "*-05-31 00:00:00"],
];
for (const [text, systemd] of canonical) {
  test(`'${text}' means ${systemd}`, () => assert.equal(canonicalCalendar(eventOf(text)), systemd));
}

const wrong: [text: string, part: string, problem: RegExp][] = [
  ["", "", /empty/],
  ["nonsense", "nonsense", /no weekday/],
  ["fri..mon 10:00", "fri..mon", /ends before it begins/],
  ["24:00", "24", /no hour: 0 to 23/],
  ["8..99:00", "8..99", /no hour/],
  ["12:0/0", "0/0", /step of 0/],
  ["2-30", "2-30", /never comes/],
  ["feb 30", "feb", /no weekday/],
  ["2027-02-29", "2027-02-29", /never comes/],
  ["10:00 mon", "mon", /one part too many/],
  ["*-13-01", "13", /no month: 1 to 12/],
  ["1:2:3:4", "1:2:3:4", /no time/],
];
for (const [text, part, problem] of wrong) {
  test(`'${text}' is refused, naming '${part}'`, () => {
    const parsed = parseCalendar(text);
    assert.ok(!parsed.ok);
    assert.equal(parsed.part, part);
    assert.match(parsed.problem, problem);
  });
}

test("the night the clocks go forward, a time in the gap comes right after it, once", () => {
  assert.deepEqual(next("2:30", "2026-03-28T12:00:00Z", "Europe/Rome", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
});

test("the night the clocks go back, a time that is shown twice comes once", () => {
  assert.deepEqual(next("2:30", "2026-10-24T12:00:00Z", "Europe/Rome", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
});

test("what comes every half hour goes on through both changes", () => {
  const spring = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
  assert.deepEqual(next("*:0/30", "2026-03-29T00:00:00Z", "Europe/Rome", 3), spring);
  const autumn = ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"];
  assert.deepEqual(next("*:0/30", "2026-10-24T23:59:00Z", "Europe/Rome", 4), autumn);
});

test("a zone half an hour off, and one that changes by half an hour", () => {
  assert.deepEqual(next("daily", "2026-01-01T12:00:00Z", "Asia/Kolkata"), ["2026-01-01T18:30:00Z"]);
  assert.deepEqual(next("2:15", "2026-10-03T00:00:00Z", "Australia/Lord_Howe"), ["2026-10-03T15:30:00Z"]);
});

test("a leap day that is a Sunday is found decades ahead", () => {
  assert.deepEqual(next("sun 2-29", "2026-01-01T00:00:00Z", "UTC"), ["2032-02-29T00:00:00Z"]);
});

test("years that are over never come again", () => {
  assert.deepEqual(next("2020-1-1", "2026-01-01T00:00:00Z", "UTC"), []);
});

const hasSystemd = (() => {
  try {
    execFileSync("systemd-analyze", ["calendar", "daily"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** systemd's own answer, in UTC seconds. */
function systemdSays(text: string, after: string, timezone: string, count: number): string[] {
  const args = ["calendar", `--base-time=${after.replace("T", " ").replace("Z", " UTC")}`, `--iterations=${count}`, text];
  const output = execFileSync("systemd-analyze", args, { encoding: "utf8", env: { ...process.env, TZ: timezone, LC_ALL: "C" } });
  const found = [
    ...output.matchAll(/\(in UTC\): \w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC|(?:Next elapse|Iter. #\d+): \w+ (\S+) (\S+) UTC/g),
  ];
  return found.map(([, date, time, utcDate, utcTime]) => `${date ?? utcDate}T${time ?? utcTime}Z`);
}

const shared = [
  "daily",
  "weekly",
  "monthly",
  "mon..fri 8..17,22:0/15",
  "sat *-1..7 15:00",
  "fri 12..13:5/20",
  "*-2-29 3:00",
  "sun 4:30",
];
for (const text of shared) {
  test(`systemd expects '${text}' at the same times`, { skip: hasSystemd ? false : "no systemd-analyze here" }, () => {
    for (const timezone of ["UTC", "Europe/Rome", "America/New_York"]) {
      for (const after of ["2026-01-01T00:00:00Z", "2026-03-27T09:17:00Z", "2026-10-23T22:41:05Z"]) {
        const said = systemdSays(canonicalCalendar(eventOf(text)), after, timezone, 5);
        assert.equal(said.length, 5);
        assert.deepEqual(next(text, after, timezone, 5), said, `${timezone} after ${after}`);
      }
    }
  });
}
