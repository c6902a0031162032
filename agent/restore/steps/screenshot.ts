import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readBytes } from "../node-view.ts";
import { fitPicture } from "../picture.ts";
import { runQmp } from "../qmp.ts";
import type { StepResult, TestRun } from "../run.ts";
import type { Made } from "./restore.ts";

const timeoutMs = 10_000;
/** As base64 it must fit into the report. */
const maxBytes = 299_000;
/** A larger file is not read: no screen that can be made smaller has one. */
const fileMaxBytes = 32 << 20;
const folder = "/run/proven-agent";

/** What the guest shows on its screen, PNG as base64. QEMU writes the file itself, as root, on a tmpfs; it is gone after this. */
export async function screenshot(run: TestRun, { guest }: Made): Promise<StepResult<string | undefined>> {
  const { test, ports } = run;
  const skip = (reason: string) => ({ value: undefined, state: "skipped", reason }) as const;
  if (!test.screenshot) return skip("Not asked for");
  if (guest.type === "lxc") return skip("A container has no screen");
  const owned = await guest.ownership();
  if (!owned.ok || !owned.value.ours) return skip("It is not ours any more");
  const file = join(ports.root, folder, `${guest.vmid}.png`);
  mkdirSync(join(ports.root, folder), { recursive: true, mode: 0o700 });
  rmSync(file, { force: true });
  try {
    const problem = await dump(run, join(ports.root, `/run/qemu-server/${guest.vmid}.qmp`), file);
    if (problem !== undefined) return skip(`Impossible: ${problem}`);
    const bytes = await readBytes(ports.root, join(folder, `${guest.vmid}.png`), fileMaxBytes);
    if (bytes === undefined) return skip(`Impossible: QEMU wrote no picture, or one of more than ${fileMaxBytes >> 20} MiB`);
    const fitted = await fitPicture(bytes, maxBytes);
    if (!fitted.ok) return skip(fitted.problem);
    return { value: fitted.png.toString("base64"), ...(fitted.note !== undefined && { reason: fitted.note }) };
  } finally {
    rmSync(file, { force: true });
  }
}

/** A QEMU that was built without PNG writes PPM, its own format of old. */
async function dump({ ports, signal }: TestRun, socketPath: string, filename: string): Promise<string | undefined> {
  const over = new AbortController();
  const stop = () => over.abort();
  signal.addEventListener("abort", stop, { once: true });
  const done = new AbortController();
  void ports.clock.sleep(timeoutMs, done.signal).then(stop);
  try {
    const problem = await runQmp(socketPath, { execute: "screendump", arguments: { filename, format: "png" } }, over.signal);
    if (problem === undefined || over.signal.aborted) return problem;
    const again = await runQmp(socketPath, { execute: "screendump", arguments: { filename } }, over.signal);
    return again === undefined ? undefined : problem;
  } finally {
    signal.removeEventListener("abort", stop);
    done.abort();
  }
}
