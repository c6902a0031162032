import assert from "node:assert/strict";
import { test } from "node:test";
import { guestStatusCodes } from "#protocol/metrics.ts";
import type { NumberRows } from "../../../agent/core/number-rows.ts";
import { asFlag, asNumber, asObject, asText, type JsonObject, parseJsonObject } from "../../../agent/core/values.ts";
import {
  deviceColumns,
  driveColumns,
  guestColumns,
  MetricsLine,
  metricsSections,
  rootColumns,
  storageColumns,
  tapColumns,
} from "../../../agent/sources/metrics-line.ts";
import { fc } from "../../support/property.ts";
import { recorded } from "../../support/recorded-node.ts";

const recordedAt = 1_795_400_829_000;

/** Rows by name: an array of the columns' values, and whom they belong to. */
type Seen = Record<string, readonly (number | string)[]>;
type Line = { changed: string[]; times: Record<string, number>; rows: Record<string, Seen> };

function rowsOf(rows: NumberRows, owners?: NumberRows): Seen {
  const seen: Seen = {};
  for (let row = 0; row < rows.count; row++) {
    const owner = owners === undefined ? [] : [owners.names[rows.owners[row] as number] as string];
    const cells = Array.from({ length: rows.width }, (_, column) => rows.get(row, column));
    seen[[...owner, rows.names[row]].join(" ")] = [...owner, ...cells];
  }
  return seen;
}

const scanner = new MetricsLine();

/** The line as the agent reads it, always by the same reader: nothing of the line before may show. */
function scan(text: string): Line | "not JSON" | "no section" {
  const bytes = Buffer.from(text);
  const problem = scanner.parse(bytes, bytes.length);
  if (problem?.includes("not JSON")) return "not JSON";
  if (problem !== undefined) return "no section";
  const rows: Record<string, Seen> = {};
  for (const name of metricsSections) {
    if (scanner.atMs(name) === undefined) continue;
    if (name === "storage") rows.storage = rowsOf(scanner.storages);
    else if (name === "node") Object.assign(rows, { devices: rowsOf(scanner.devices), root: rowsOf(scanner.root) });
    else {
      const guests = scanner[name];
      rows[name] = rowsOf(guests.rows);
      rows[`${name} drives`] = rowsOf(guests.drives, guests.rows);
      rows[`${name} nics`] = rowsOf(guests.taps, guests.rows);
    }
  }
  const times = Object.fromEntries(
    metricsSections.map((name) => [name, scanner.atMs(name)]).filter(([, at]) => at !== undefined),
  );
  return { changed: scanner.changed, times, rows };
}

const numbers = (columns: readonly string[], entry: JsonObject) => columns.map((key) => asNumber(entry[key]));
const objects = (value: unknown) =>
  Object.entries(asObject(value) ?? {}).flatMap(([name, entry]) => {
    const object = asObject(entry);
    return object === undefined ? [] : ([[name, object]] as const);
  });

function guestCells(guest: JsonObject): number[] {
  const status = (value: unknown) => {
    const word = asText(value);
    if (word === undefined) return Number.NaN;
    const code = (guestStatusCodes as readonly string[]).indexOf(word);
    return code < 0 ? guestStatusCodes.indexOf("other") : code;
  };
  return guestColumns.map((key) => (key === "status" || key === "qmpstatus" ? status(guest[key]) : asNumber(guest[key])));
}

function storageCells(entry: JsonObject): number[] {
  return storageColumns.map((key) => {
    const value = entry[key];
    if (key === "type") return asText(value) === undefined ? Number.NaN : 0;
    if (key !== "enabled" && key !== "shared") return asNumber(value);
    return Number(asFlag(value));
  });
}

const looksRight: Record<string, (data: JsonObject) => boolean> = {
  node: () => true,
  storage: (data) =>
    Object.values(data).every(
      (one) => asText(asObject(one)?.type) !== undefined && Number.isFinite(asNumber(asObject(one)?.active)),
    ),
};
const guestsLookRight = (data: JsonObject) =>
  Object.values(data).every(
    (one) => asText(asObject(one)?.status) !== undefined && Number.isFinite(asNumber(asObject(one)?.maxmem)),
  );

/** The same, written once more: by columns of whole objects. */
function reference(text: string): Line | "not JSON" | "no section" {
  const json = parseJsonObject(text);
  if (json === undefined) return "not JSON";
  const line: Line = { changed: [], times: {}, rows: {} };
  for (const name of metricsSections) {
    if (json[name] === undefined) continue;
    const section = asObject(json[name]);
    const data = asObject(section?.data);
    const at = asNumber(section?.timestamp);
    if (data === undefined || !Number.isFinite(at) || !(looksRight[name] ?? guestsLookRight)(data)) {
      line.changed.push(name);
      continue;
    }
    line.times[name] = at * 1000;
    if (name === "storage") line.rows.storage = Object.fromEntries(objects(data).map(([id, entry]) => [id, storageCells(entry)]));
    else if (name === "node") {
      const root = asObject(data.blockstat);
      line.rows.devices = Object.fromEntries(objects(data.nics).map(([nic, device]) => [nic, numbers(deviceColumns, device)]));
      line.rows.root = root === undefined ? {} : { "/": numbers(rootColumns, root) };
    } else {
      const parts = (key: string, columns: readonly string[]) =>
        Object.fromEntries(
          objects(data).flatMap(([id, guest]) =>
            objects(guest[key]).map(([part, entry]) => [`${id} ${part}`, [id, ...numbers(columns, entry)]]),
          ),
        );
      line.rows[name] = Object.fromEntries(objects(data).map(([id, guest]) => [id, guestCells(guest)]));
      line.rows[`${name} drives`] = parts("blockstat", driveColumns);
      line.rows[`${name} nics`] = parts("nics", tapColumns);
    }
  }
  return line.changed.length === 0 && Object.keys(line.times).length === 0 ? "no section" : line;
}

const scalar = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.float({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(
    null,
    true,
    false,
    "",
    "0",
    "1",
    "0.00",
    "12.5",
    "1e3",
    " 7 ",
    "0x10",
    "-3",
    ".5",
    "5.",
    "U",
    'ä\\"\n\u2028\ud83d\ude00',
  ),
  fc.string({ unit: "binary" }),
  fc.bigInt({ min: 0n, max: 1n << 80n }).map((value) => value.toString()),
);
const anything = fc.oneof({ weight: 6, arbitrary: scalar }, fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>);
const some = (columns: readonly string[]) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...columns), fc.string({ maxLength: 6 })), anything, {
    maxKeys: 8,
    noNullPrototype: true,
  });
const wordOf = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...guestStatusCodes, "internal-error") }, anything);
const partsOf = (columns: readonly string[]) =>
  fc.dictionary(
    fc.constantFrom("scsi0", "tap100i0", "veth200i1", "", "ß", 'a"b\\'),
    fc.oneof({ weight: 6, arbitrary: some(columns) }, anything),
    {
      maxKeys: 3,
      noNullPrototype: true,
    },
  );
const guestEntry = fc
  .tuple(
    some(guestColumns),
    fc.record(
      { status: wordOf, qmpstatus: wordOf, maxmem: anything, blockstat: partsOf(driveColumns), nics: partsOf(tapColumns) },
      { requiredKeys: ["status"] },
    ),
  )
  .map(([more, known]) => ({ ...more, maxmem: 1024, ...known }));
const storageEntry = fc
  .tuple(some(storageColumns), fc.record({ type: fc.constant("dir"), active: anything }, { requiredKeys: [] }))
  .map(([more, known]) => ({ active: 1, ...more, ...known }));
const nodeData = fc.record(
  { blockstat: fc.oneof(some(rootColumns), anything), nics: partsOf(deviceColumns), cpustat: anything },
  { requiredKeys: [] },
);
const ids = fc.constantFrom("100", "101", "9000", "200", "x y", "ümlaut");
const section = (data: fc.Arbitrary<unknown>) =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ timestamp: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1 }) }, anything), data }),
    },
    anything,
  );
const tableOf = (entry: fc.Arbitrary<unknown>) =>
  fc.dictionary(ids, fc.oneof({ weight: 12, arbitrary: entry }, anything), { maxKeys: 4, noNullPrototype: true });
const line = fc.record(
  {
    qemu: section(tableOf(guestEntry)),
    lxc: section(tableOf(guestEntry)),
    storage: section(tableOf(storageEntry)),
    node: section(nodeData),
    pve: anything,
  },
  { requiredKeys: [] },
);

test("any line reads as its values say, with blanks between or without", () => {
  fc.assert(
    fc.property(line, fc.constantFrom(undefined, 1, "\t", "\r\n"), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      assert.deepEqual(scan(text), reference(text));
    }),
    { numRuns: 1500 },
  );
});

test("a line that was cut, or in which a byte is wrong, is no JSON, or reads as its values say", () => {
  fc.assert(
    fc.property(line, fc.nat(), fc.option(fc.constantFrom(...'{}[]",:0123456789.-+eE\\ tfn\u0001x')), (value, where, byte) => {
      const text = JSON.stringify(value);
      const at = where % (text.length + 1);
      const broken = text.slice(0, at) + (byte === null ? "" : byte + text.slice(at + 1));
      assert.deepEqual(scan(broken), reference(broken));
    }),
    { numRuns: 3000 },
  );
});

test("numbers in every notation of JSON are read, and what is none is no line", () => {
  const spelled = [
    "0",
    "-0",
    "1e3",
    "1E+2",
    "2.5e-3",
    "0.1",
    "0.30206978629461595",
    "9007199254740993",
    "123456789012345678901",
    "1e400",
  ];
  const wrong = ["01", "-", "1.", ".5", "+1", "1e", "0x1", "NaN", "Infinity", "1_0"];
  for (const number of [...spelled, ...wrong]) {
    const text = `{"qemu":{"timestamp":1,"data":{"100":{"status":"running","maxmem":5,"mem":${number}}}}}`;
    assert.deepEqual(scan(text), reference(text), number);
  }
});

test("escaped keys and words are the same keys and words", () => {
  const text =
    '{"qe\\u006du":{"timestamp":1,"data":{"100":{"st\\u0061tus":"runn\\u0069ng","maxmem":"5","name":"\\ud83d\\ude00"}}}}';
  const read = scan(text);
  assert.deepEqual(read, reference(text));
  assert.ok(typeof read !== "string");
  assert.equal(read.rows.qemu?.["100"]?.[0], guestStatusCodes.indexOf("running"));
});

test("a line of a megabyte, and brackets nested a hundred thousand deep, are read", () => {
  const guest = JSON.parse(recorded("run-pve_metrics.line.json")).qemu.data["100"];
  const data = Object.fromEntries(
    Array.from({ length: 3000 }, (_, index) => [String(100 + index), { ...guest, vmid: 100 + index }]),
  );
  const large = JSON.stringify({ qemu: { timestamp: 17, data } });
  assert.ok(large.length > 1_000_000);
  assert.deepEqual(scan(large), reference(large));
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  assert.deepEqual(scan(`{"pve":${deep},"node":{"timestamp":1,"data":{}}}`), {
    changed: [],
    times: { node: 1000 },
    rows: { devices: {}, root: {} },
  });
  assert.equal(scan(`{"pve":${deep.slice(1)}}`), "not JSON");
});

test("the metrics line as recorded is understood in all its sections", () => {
  const read = scan(recorded("run-pve_metrics.line.json"));
  assert.deepEqual(read, reference(recorded("run-pve_metrics.line.json")));
  assert.ok(typeof read !== "string");
  assert.deepEqual([Object.keys(read.times).sort(), read.changed], [["lxc", "node", "qemu", "storage"], []]);
  assert.equal(read.times.qemu, recordedAt);
});

test("a section that looks otherwise is named, and the others still serve", () => {
  const json = JSON.parse(recorded("run-pve_metrics.line.json"));
  json.qemu.data["100"] = { state: "running" };
  const read = scan(JSON.stringify(json));
  assert.ok(typeof read !== "string");
  assert.deepEqual([Object.keys(read.times).sort(), read.changed], [["lxc", "node", "storage"], ["qemu"]]);
});
