import { parsePropertyString } from "../../core/property-string.ts";
import { ddSpeed, largestDisk, randomCommand, readsPerSecond, sequentialCommand } from "../../core/restore/read-speed.ts";
import { execInGuest, type Ran } from "../guest-exec.ts";
import type { StepResult, TestRun } from "../run.ts";
import type { Made } from "./restore.ts";

const execMs = 60_000;

/** What is read: a disk, where it is read, and what the record should say of it. */
type Readable = { path: string; exec(command: readonly string[]): Promise<Ran>; note: string } | { problem: string };

const skipped = (reason: string) => ({ value: undefined, state: "skipped", reason }) as const;

/** How fast the test guest's disk is read: a VM's inside it, a container's at the node. What can't be measured stays unmeasured. */
export async function benchmark(run: TestRun, made: Made, inside: boolean): Promise<StepResult<undefined>> {
  if (!run.test.benchmark) return skipped("Not asked for");
  const found = made.guest.type === "lxc" ? await rootVolume(run, made) : await diskInside(run, made, inside);
  return "problem" in found ? skipped(found.problem) : measured(run, found);
}

async function measured(
  run: TestRun,
  { path, exec, note }: Exclude<Readable, { problem: string }>,
): Promise<StepResult<undefined>> {
  const dd = await exec(sequentialCommand(path));
  const sequentialRead = dd.ok && dd.code === 0 ? ddSpeed(dd.stderr) : undefined;
  const random = await exec(randomCommand(path));
  const randomRead = random.ok && random.code === 0 ? readsPerSecond(random.stdout) : undefined;
  if (sequentialRead !== undefined) run.measure({ sequentialRead });
  if (randomRead !== undefined) run.measure({ randomRead });
  if (sequentialRead === undefined && randomRead === undefined)
    return skipped(`Neither dd nor Python could read ${path}: ${whyNot(dd)}`);
  const missing =
    sequentialRead === undefined ? "sequential reads" : randomRead === undefined ? "random reads (needs python3)" : undefined;
  const reason = [note, missing && `Not measured: ${missing}`].filter(Boolean).join(". ");
  return { value: undefined, reason };
}

const whyNot = (ran: Ran) =>
  ran.ok ? (ran.stderr.trim().split("\n").at(-1) ?? "").slice(0, 300) || `exit code ${ran.code}` : ran.problem;

async function diskInside({ ports, signal }: TestRun, { guest }: Made, inside: boolean): Promise<Readable> {
  if (!inside) return { problem: "Its guest agent does not answer" };
  const exec = (command: readonly string[]) => execInGuest(ports, guest, command, { timeoutMs: execMs, signal });
  const listed = await exec(["lsblk", "-dnbo", "NAME,SIZE,TYPE"]);
  const path = listed.ok ? largestDisk(listed.stdout) : undefined;
  return path === undefined ? { problem: "No disk was found inside: it needs lsblk" } : { path, exec, note: "" };
}

/**
 * A container sees files, whose reads come from memory; what its root file system lies on is read at the node, past the cache. Only the test guest's
 * own volume is: the one that its configuration names, with its number.
 */
async function rootVolume({ ports, signal }: TestRun, { guest }: Made): Promise<Readable> {
  const owned = await guest.ownership();
  if (!owned.ok || !owned.value.ours) return { problem: "It is not ours any more" };
  const config = await guest.config();
  if (!config.ok) return { problem: `Its configuration can't be read: ${config.problem}` };
  const rootfs = parsePropertyString(String(config.value.rootfs ?? ""));
  const volid = rootfs.get("") ?? rootfs.get("volume");
  const name = new RegExp(`^[^:/]+:(?:\\d+/)?(vm|subvol)-${guest.vmid}-disk-\\d+(?:\\.raw|\\.subvol)?$`).exec(volid ?? "");
  if (volid === undefined || name === null) return { problem: "Its root file system is on no volume of its own" };
  if (name[1] === "subvol")
    return { problem: `${volid} is a data set or a folder, not a disk: reads of it come from the node's memory` };
  const exec = (command: readonly string[]) => {
    const [file = "", ...args] = command;
    return ports.run(file, args, { timeoutMs: execMs, signal });
  };
  const told = await exec(["pvesm", "path", volid]);
  const path = told.ok && told.code === 0 ? told.stdout.trim() : "";
  if (!path.startsWith("/"))
    return { problem: `Where ${volid} lies is not known: ${told.ok && told.code === 0 ? path : whyNot(told)}` };
  return { path, exec, note: `Read at the node, from ${path}` };
}
