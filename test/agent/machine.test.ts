import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hardwareFactsSchema } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import { type HardwareAnswers, hardwareFacts } from "../../agent/hardware/facts.ts";
import type { RunCommand } from "../../agent/ports.ts";
import { createRunCommand } from "../../agent/pve/run-command.ts";
import { HardwareSource, parseHardware } from "../../agent/sources/hardware.ts";
import { machineOf } from "../lab/machine.ts";
import { buildSpec } from "../lab/spec.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fc } from "../support/property.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const gib = 2 ** 30;
const both = { smbios: true, dmidecode: true };
const slot = { bank: "P0 CHANNEL A", type: "DDR4", formFactor: "DIMM", clockSpeed: 3200, manufacturer: "Samsung" };
const empty = { ...slot, size: 0, type: "Empty", clockSpeed: 0, manufacturer: "", partNum: "", serialNum: "" };

/** What the library answers on a server; shape after its types, its values after dmidecode(8). */
const server: HardwareAnswers = {
  system: { manufacturer: "Dell Inc.", model: "PowerEdge R640", serial: "7XK2Q13" },
  baseboard: { manufacturer: "Dell Inc.", model: "0RGP26", version: "A09", serial: ".7XK2Q13.CNFCP0086R00PE." },
  bios: { vendor: "Dell Inc.", version: "2.19.1", releaseDate: "2023-15-03" },
  cpu: { manufacturer: "Intel", brand: "Xeon® Gold 6130", processors: 2, physicalCores: 32, cores: 64 },
  memory: [{ ...slot, size: 32 * gib, partNum: "M393A4K40DB3-CWE", serialNum: "37F2A1B0" }, empty, empty],
};

test("a server's machine, board, firmware, processors and memory modules are told as one buys them", () => {
  assert.deepEqual(hardwareFacts(server, both), {
    maker: "Dell Inc.",
    model: "PowerEdge R640",
    serial: "7XK2Q13",
    board: { maker: "Dell Inc.", model: "0RGP26", version: "A09", serial: ".7XK2Q13.CNFCP0086R00PE." },
    firmware: { maker: "Dell Inc.", version: "2.19.1", date: "2023-03-15" },
    cpu: { model: "Intel Xeon® Gold 6130", sockets: 2, cores: 32, threads: 64 },
    memory: {
      emptySlots: 2,
      modules: [
        {
          ...{ place: 1, slot: "P0 CHANNEL A", sizeBytes: 32 * gib, type: "DDR4", speed: 3200 },
          ...{ maker: "Samsung", part: "M393A4K40DB3-CWE", serial: "37F2A1B0" },
        },
      ],
    },
  });
});

for (const words of [
  "To Be Filled By O.E.M.",
  "Filled By OEM",
  "Default string",
  "Not Specified",
  "System Serial Number",
  "Base Board Serial Number",
  "SerNum0",
  "Unknown",
  "N/A",
  "None",
  "0x0000",
  "00000000",
  "0123456789",
  " . ",
  "-",
  "",
]) {
  test(`"${words}" is what a vendor writes who says nothing: it counts as unknown`, () => {
    const { maker, serial, board } = hardwareFacts(
      {
        ...server,
        system: { manufacturer: words, model: "X", serial: words },
        baseboard: { ...server.baseboard, serial: words },
      },
      both,
    );
    assert.deepEqual([maker, serial, board.serial], [undefined, undefined, undefined]);
  });
}

test("without dmidecode or a table the library invents a memory module and a model: both are unknown, and why is said", () => {
  const invented = { size: 25_276_063_744, bank: "", type: "", clockSpeed: 0, formFactor: "", partNum: "", serialNum: "" };
  const told = { ...server, system: { manufacturer: "", model: "Computer", serial: "-" }, memory: [invented] };
  const missing = (smbios: boolean, dmidecode: boolean) => {
    const facts = hardwareFacts(told, { smbios, dmidecode });
    return [facts.model, facts.memory, facts.missing];
  };
  assert.deepEqual(missing(false, true), [undefined, undefined, "smbios"]);
  assert.deepEqual(missing(true, false), [undefined, undefined, "dmidecode"]);
  assert.deepEqual(missing(true, true), [undefined, undefined, "modules"]);
});

test("a date that is none, a module of a megabyte and a speed of null are unknown", () => {
  const [module] = server.memory;
  const facts = hardwareFacts(
    {
      ...server,
      bios: { ...server.bios, releaseDate: "2023-03-15" },
      memory: [{ ...slot, ...module, size: 1 << 20, clockSpeed: null } as never],
    },
    both,
  );
  assert.equal(facts.firmware.date, undefined);
  assert.deepEqual([facts.memory?.modules[0]?.sizeBytes, facts.memory?.modules[0]?.speed], [undefined, undefined]);
});

test("whatever the firmware says, the facts fit their schema and a quarter of a message", () => {
  const text = fc.string({ unit: "binary", maxLength: 300 });
  const module = fc.record({
    ...{ size: fc.oneof(fc.constant(0), fc.nat(), fc.constant(Number.NaN)), bank: text, type: text, formFactor: text },
    ...{ clockSpeed: fc.option(fc.nat()), manufacturer: text, partNum: text, serialNum: text },
  });
  fc.assert(
    fc.property(text, text, fc.array(module, { maxLength: 200 }), (a, b, memory) => {
      const system = { manufacturer: a, model: b, serial: a };
      const answers = {
        ...server,
        system,
        baseboard: { ...system, version: b },
        bios: { vendor: a, version: b, releaseDate: a },
        memory,
      };
      const facts = hardwareFacts(answers, both);
      assert.deepEqual(hardwareFactsSchema.parse(JSON.parse(JSON.stringify(facts))), facts);
      assert.ok(Buffer.byteLength(JSON.stringify(facts)) < limits.messageMaxBytes / 4);
    }),
    { numRuns: 60 },
  );
});

/** dmidecode 3.4's text for one type; after its manual and source, never recorded on a real machine. */
const dmidecode = `#!/bin/sh
case "$*" in
"-t system") printf 'System Information\\n\\tManufacturer: Supermicro\\n\\tProduct Name: AS -1114S-WN10RT\\n\\tVersion: 0123456789\\n\\tSerial Number: S424242X2A00001\\n' ;;
"-t bios") printf 'BIOS Information\\n\\tVendor: American Megatrends Inc.\\n\\tVersion: 2.5\\n\\tRelease Date: 09/14/2022\\n' ;;
"-t 2") printf 'Base Board Information\\n\\tManufacturer: Supermicro\\n\\tProduct Name: H12SSW-NTR\\n\\tVersion: 1.02\\n\\tSerial Number: WM21AS000001\\n' ;;
"-t memory") printf 'Memory Device\\n\\tTotal Width: 72 bits\\n\\tData Width: 64 bits\\n\\tSize: 32 GB\\n\\tForm Factor: DIMM\\n\\tLocator: DIMMA1\\n\\tBank Locator: P0_Node0_Channel0_Dimm0\\n\\tType: DDR4\\n\\tSpeed: 3200 MT/s\\n\\tManufacturer: Samsung\\n\\tSerial Number: 03B1F8E4\\n\\tPart Number: M393A4K40DB3-CWE\\n\\tConfigured Memory Speed: 2933 MT/s\\n\\nMemory Device\\n\\tSize: No Module Installed\\n\\tForm Factor: Unknown\\n\\tLocator: DIMMB1\\n\\tBank Locator: P0_Node0_Channel1_Dimm0\\n\\tType: Unknown\\n' ;;
esac
`;

test("the process itself, with the library and a dmidecode: month and day stand in their places, the empty slot is counted", (context) => {
  const dir = temporaryDir(context);
  const bin = join(dir, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "dmidecode"), dmidecode);
  chmodSync(join(bin, "dmidecode"), 0o755);
  const main = join(import.meta.dirname, "../../agent/main.ts");
  const env = { PATH: `${bin}:/usr/bin:/bin`, LC_ALL: "C.UTF-8" };
  const output = execFileSync(process.execPath, ["--import", "tsx", main, "hardware-check"], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const facts = parseHardware(output);
  assert.deepEqual([facts?.maker, facts?.serial], ["Supermicro", "S424242X2A00001"]);
  assert.deepEqual(facts?.board, { maker: "Supermicro", model: "H12SSW-NTR", version: "1.02", serial: "WM21AS000001" });
  assert.deepEqual(facts?.firmware, { maker: "American Megatrends Inc.", version: "2.5", date: "2022-09-14" });
  assert.deepEqual(facts?.memory, {
    emptySlots: 1,
    modules: [
      {
        ...{ place: 1, slot: "P0_Node0_Channel0_Dimm0", sizeBytes: 32 * gib, type: "DDR4", speed: 2933 },
        ...{ maker: "Samsung Electronics Inc.", part: "M393A4K40DB3-CWE", serial: "03B1F8E4" },
      },
    ],
  });
});

type Result = Awaited<ReturnType<RunCommand>>;
const answered = (stdout: string, code = 0, stderr = ""): Result => ({ ok: true, stdout, stderr, code });
const [node] = buildSpec("seed", 1, 0).nodes;
const machine = machineOf(node as NonNullable<typeof node>);

/** A source whose process ends as `results` say, one after the other. */
function sourceOf(results: Result[], afterMs = 0) {
  const clock = new FakeClock();
  const commands: string[] = [];
  const run: RunCommand = async (file, args, options) => {
    commands.push([file, ...args].join(" "));
    assert.deepEqual(options, { timeoutMs: 60_000, maxBytes: 262_144 });
    return results.shift() ?? assert.fail("nothing more is expected");
  };
  return { clock, commands, source: new HardwareSource(run, clock, { self: ["node", "agent.mjs"], afterMs }) };
}

test("the machine is looked at some minutes after the start, then once a day, by a process of the lowest priority", async () => {
  const { clock, commands, source } = sourceOf([answered(JSON.stringify(machine))], 120_000);
  assert.equal(source.everyMs(), undefined);
  await clock.advance(120_000);
  assert.equal(source.everyMs(), 86_400_000);
  await source.refresh();
  assert.deepEqual(commands, [
    "ionice -c 3 nice -n 19 node --max-old-space-size=48 --max-semi-space-size=1 agent.mjs hardware-check",
  ]);
  assert.deepEqual([source.told.value, source.problem], [machine, undefined]);
  assert.match(source.found(), /^Supermicro AS -1114S-WN10RT, \d+ memory modules$/);
});

test("a process that fails, hangs, or says too much or nonsense is a problem, is tried again earlier, and what was known stays", async () => {
  const { source } = sourceOf([
    answered(JSON.stringify(machine)),
    answered("", 1, "Error: no"),
    { ok: false, problem: "ionice: no answer within 60000 ms" },
    { ok: false, problem: "ionice: more than 262144 bytes of output" },
    answered('{"maker":'),
    answered(JSON.stringify({ ...machine, serial: "x".repeat(101) })),
  ]);
  await source.refresh();
  const { version } = source;
  const problems: (string | undefined)[] = [];
  for (let run = 0; run < 5; run++) {
    await source.refresh();
    problems.push(source.problem);
    assert.equal(source.everyMs(), 21_600_000);
  }
  assert.deepEqual(problems, [
    "the process that looks at it ended with 1: Error: no",
    "ionice: no answer within 60000 ms",
    "ionice: more than 262144 bytes of output",
    "the answer of the process that looks at it was not understood",
    "the answer of the process that looks at it was not understood",
  ]);
  assert.deepEqual([source.told.value, source.version], [machine, version]);
});

test("a machine of which nothing was told yet is no machine without memory", async () => {
  const { source } = sourceOf([await createRunCommand({ path: "/nowhere" })("ionice", [])]);
  await source.refresh();
  assert.deepEqual([source.told.value, source.found(), source.problem], [undefined, "nothing", "ionice: not installed"]);
});
