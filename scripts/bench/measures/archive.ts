import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createReadArchive } from "../../../agent/integrity/reading-process.ts";
import { AgentProcess, nodeEnv, nodeFlags } from "../agent-process.ts";
import type { Context, Measure } from "../context.ts";
import { agentBundle } from "../hub-process.ts";
import { processTree, readMemory } from "../process-usage.ts";
import { type Row, valueRow } from "../row.ts";

/** What the machine in the backup held, every second block of it zeros: as much work as a real one, and little to compress. */
const diskBytes = 6 * 2 ** 30;
const lookEveryMs = 200;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Prints a VMA; in a process of its own, as the tests' writer of such files is no part of this project. */
const vmaProgram = `
const { writeVma } = await import(${JSON.stringify(new URL("../../../test/support/vma-writer.ts", import.meta.url).href)});
const { randomFillSync } = await import("node:crypto");
const { Readable } = await import("node:stream");
const noise = Array.from({ length: 15 }, () => randomFillSync(Buffer.alloc(65536)));
const disk = { name: "drive-scsi0", bytes: ${diskBytes}, cluster: (n) => (n % 2 === 0 ? noise[n % 15] : undefined) };
Readable.from(writeVma([disk])).pipe(process.stdout);
`;

/** A `.vma.zst` as vzdump writes it, level 1 as there; not flushed: reading it is measured, not the disk. */
async function writeArchive(path: string): Promise<void> {
  const writer = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", vmaProgram], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const zstd = spawn("zstd", ["-q", "-1", "-T1", "-c"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(zstd, "close");
  await Promise.all([pipeline(writer.stdout, zstd.stdin), pipeline(zstd.stdout, createWriteStream(path))]);
  const [code] = await ended;
  if (code !== 0) throw new Error(`zstd ended with ${code}`);
}

type Peak = { agentMb: number; allMb: number };

/** The most that the reading agent alone, and with the programs it started, had in memory. */
async function watch(readerOf: () => number | undefined, isOver: () => boolean): Promise<Peak> {
  const peak: Peak = { agentMb: 0, allMb: 0 };
  for (; !isOver(); await sleep(lookEveryMs)) {
    const reader = readerOf();
    if (reader === undefined) continue;
    try {
      const hwm = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${reader}/status`, "latin1"))?.[1];
      peak.agentMb = Math.max(peak.agentMb, (Number(hwm ?? 0) * 1024) / 1e6);
      peak.allMb = Math.max(peak.allMb, readMemory(reader).rssMb);
    } catch {
      // it has just ended
    }
  }
  return peak;
}

const isReader = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("\0archive-check\0");

async function run({ scratch, say }: Context): Promise<Row[]> {
  const dir = join(scratch, "archive");
  mkdirSync(dir, { recursive: true });
  const path = join(dir, "vzdump-qemu-100-2026_01_05-03_00_00.vma.zst");
  say(`archive: a backup of ${(diskBytes / 2 ** 30).toFixed(0)} GiB is made`);
  await writeArchive(path);
  const { size } = statSync(path);
  say(`archive: ${(size / 1e9).toFixed(1)} GB are read to their end`);
  const self = [AgentProcess.copyNode(join(dir, "node")), ...nodeFlags, agentBundle];
  Object.assign(process.env, nodeEnv); // the reader has its parent's
  const startedMs = performance.now();
  let isOver = false;
  const request = { path, kind: { container: "vma", compression: "zst" } } as const;
  const reading = createReadArchive(self)(request, () => undefined, new AbortController().signal);
  void reading.finally(() => {
    isOver = true;
  });
  // ionice and nice become the agent itself; before that it is not yet called so.
  const reader = () => processTree(process.pid).slice(1).find(isReader);
  const [facts, peak] = await Promise.all([reading, watch(reader, () => isOver)]);
  const seconds = (performance.now() - startedMs) / 1000;
  const wrong = facts.checksummed && facts.damages.length === 0 && facts.unreadable === undefined ? 0 : 1;
  const name = `archive check of ${(size / 1e9).toFixed(1)} GB (zstd):`;
  return [
    valueRow(`${name} the agent's most memory, resident`, "MB", peak.agentMb, 60),
    valueRow(`${name} with zstd, resident`, "MB", peak.allMb),
    valueRow(`${name} pace`, "MB/s", size / 1e6 / seconds),
    valueRow(`${name} found damaged or unreadable`, "archives", wrong, 0),
  ];
}

export const archive: Measure = {
  title: "a large backup is read to its end: memory of the agent that does it",
  minutes: () => 1.5,
  run,
};
