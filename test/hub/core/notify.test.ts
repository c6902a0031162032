import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Told } from "../../../hub/core/alert-record.ts";
import { afterTelling, type Member, type Policy, severitiesTold, tellingOf } from "../../../hub/core/notify.ts";
import { fc } from "../../support/property.ts";

const at = (sec: number) => (sec * 1000) as EpochMs;
const policy: Policy = { waitMs: 0, intervalMs: 60_000, repeatMs: 3_600_000, reminds: true, holdsEndsOf: () => false };
const member = (id: string, firedSec = 0, more: Partial<Member> = {}): Member => ({
  key: `${id}~${firedSec}`,
  alert: id,
  severity: "warning",
  firedAt: at(firedSec),
  tellable: true,
  acknowledged: false,
  wasHeld: false,
  freedAt: null,
  ...more,
});

/** What a receiver knows after it was told of these. */
function toldOf(members: Member[], sec: number): Told {
  const telling = tellingOf(undefined, members, policy, at(sec));
  assert.ok(telling);
  return afterTelling(undefined, telling, 0, at(sec));
}

const known = toldOf([member("a")], 0);
const cases: [name: string, members: Member[], sec: number, reason: string | undefined][] = [
  ["nothing new: nothing is said", [member("a")], 600, undefined],
  ["another alert, too soon: it waits", [member("a"), member("b", 10)], 30, undefined],
  ["another alert, after the interval", [member("a"), member("b", 10)], 60, "new-firing"],
  ["it fires again after it was over: news", [member("a", 50)], 120, "first"],
  ["an hour later it is repeated", [member("a")], 3600, "repeat"],
  ["acknowledged: not repeated", [member("a", 0, { acknowledged: true })], 3600, undefined],
  ["held back: not repeated", [member("a", 0, { tellable: false })], 3600, undefined],
  ["all is over", [], 30, "all-resolved"],
  ["another one that is held back is not told", [member("a"), member("b", 10, { tellable: false })], 600, undefined],
  ["what was held back is caught up", [member("a"), member("b", 10, { wasHeld: true })], 600, "catch-up"],
];
for (const [name, members, sec, reason] of cases) {
  test(`told of one alert: ${name}`, () => assert.equal(tellingOf(known, members, policy, at(sec))?.reason, reason));
}

test("as which severities somebody was told of an alert is kept, each once", () => {
  const worse = member("a", 0, { severity: "critical" });
  const retold = [worse, worse].reduce(
    (told, one) => afterTelling(told, { reason: "repeat", firing: [one], over: [] }, 0, at(3600)),
    known,
  );
  assert.deepEqual(retold.episodes.map(severitiesTold), [["warning", "critical"]]);
  assert.deepEqual(known.episodes.map(severitiesTold), [["warning"]]);
});

test("a snooze that ends is told once, long before the next repetition", () => {
  const freed = member("a", 0, { freedAt: at(600) });
  assert.equal(tellingOf(known, [freed], policy, at(599)), undefined);
  const telling = tellingOf(known, [freed], policy, at(600));
  assert.equal(telling?.reason, "repeat");
  const after = afterTelling(known, telling, 0, at(600));
  assert.equal(tellingOf(after, [freed], policy, at(601)), undefined);
});

test("one of two is over: told five minutes after the message before, with the one that is not", () => {
  const [a, b] = [member("a"), member("b")];
  const both = toldOf([a, b], 0);
  assert.equal(tellingOf(both, [b], policy, at(299)), undefined);
  const telling = tellingOf(both, [b], policy, at(300));
  assert.deepEqual([telling?.reason, telling?.firing, telling?.over.map(({ alert }) => alert)], ["some-resolved", [b], ["a"]]);
});

test("nobody hears the end of what he was not told", () => {
  assert.equal(tellingOf(undefined, [], policy, at(0)), undefined);
});

test("quiet hours hold the end back", () => {
  assert.equal(tellingOf(known, [], { ...policy, holdsEndsOf: () => true }, at(30)), undefined);
});

test("whatever happens: every beginning once, every end once and after its beginning, repeats not before their time", () => {
  const change = fc.record({
    alert: fc.constantFrom("a", "b", "c"),
    what: fc.constantFrom("fire", "resolve", "hold", "release", "ack"),
    afterSec: fc.nat(4000),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const firing = new Map<string, Member>();
      const heard = new Map<string, "firing" | "over">();
      let told: Told | undefined;
      let [now, lastSent] = [0, Number.NEGATIVE_INFINITY];
      const say = () => {
        const members = [...firing.values()];
        const telling = tellingOf(told, members, policy, at(now));
        if (telling === undefined) return;
        for (const { key } of telling.over) {
          assert.equal(heard.get(key), "firing");
          heard.set(key, "over");
        }
        const news = telling.firing.filter(({ key }) => !heard.has(key));
        for (const one of news) assert.ok(one.tellable);
        if (telling.reason === "repeat") assert.ok(at(now) - lastSent >= policy.repeatMs);
        else if (telling.reason.endsWith("-resolved")) assert.ok(telling.over.length > 0);
        else assert.ok(news.length > 0);
        for (const { key } of telling.firing) {
          assert.notEqual(heard.get(key), "over");
          heard.set(key, "firing");
        }
        told = afterTelling(told, telling, 0, at(now));
        lastSent = at(now);
      };
      for (const { alert, what, afterSec } of changes) {
        now += afterSec;
        const one = firing.get(alert);
        if (what === "fire" && one === undefined) firing.set(alert, member(alert, now));
        else if (what === "resolve") firing.delete(alert);
        else if (one !== undefined && what === "hold") firing.set(alert, { ...one, tellable: false, wasHeld: true });
        else if (one !== undefined && what === "release") firing.set(alert, { ...one, tellable: true });
        else if (one !== undefined && what === "ack") firing.set(alert, { ...one, acknowledged: true });
        say();
      }
      // In the end all is over, and everybody who heard a beginning has heard its end.
      firing.clear();
      say();
      assert.ok([...heard.values()].every((state) => state === "over"));
    }),
  );
});

test("a hub that has just started reminds nobody, and tells what is new and what is over all the same", () => {
  const settling = { ...policy, reminds: false };
  const week = 7 * 86_400;
  assert.equal(tellingOf(known, [member("a")], policy, at(week))?.reason, "repeat");
  assert.equal(tellingOf(known, [member("a")], settling, at(week)), undefined);
  assert.equal(tellingOf(known, [member("a"), member("b", week)], settling, at(week))?.reason, "new-firing");
  assert.equal(tellingOf(known, [], settling, at(week))?.reason, "all-resolved");
});
