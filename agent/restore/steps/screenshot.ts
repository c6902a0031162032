import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readBytes } from "../node-view.ts";
import { runQmp } from "../qmp.ts";
import type { StepResult, TestRun } from "../run.ts";
import type { Made } from "./restore.ts";

const timeoutMs = 10_000;
/** As base64 it must fit into the report. */
const maxBytes = 299_000;
const folder = "/run/proven-agent";
const pngSignature = "89504e470d0a1a0a";

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
    const bytes = await readBytes(ports.root, join(folder, `${guest.vmid}.png`), maxBytes);
    if (bytes === undefined) return skip("The picture is missing or larger than a report can hold");
    if (!bytes.toString("hex", 0, 8).startsWith(pngSignature)) return skip("QEMU wrote no PNG");
    return { value: bytes.toString("base64") };
  } finally {
    rmSync(file, { force: true });
  }
}

async function dump({ ports, signal }: TestRun, socketPath: string, filename: string): Promise<string | undefined> {
  const over = new AbortController();
  const stop = () => over.abort();
  signal.addEventListener("abort", stop, { once: true });
  const done = new AbortController();
  void ports.clock.sleep(timeoutMs, done.signal).then(stop);
  try {
    return await runQmp(socketPath, { execute: "screendump", arguments: { filename, format: "png" } }, over.signal);
  } finally {
    signal.removeEventListener("abort", stop);
    done.abort();
  }
}
