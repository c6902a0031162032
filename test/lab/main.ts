import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { scaledClock } from "./clock.ts";
import { startLab } from "./lab.ts";

/** `node --import tsx test/lab/main.ts --dir D [--base-port N] [--nodes 3] [--guests 40] [--seed S] [--factor 1] [--real-sandboxes]` */
const { values } = parseArgs({
  options: {
    dir: { type: "string" },
    "base-port": { type: "string", default: "0" },
    nodes: { type: "string", default: "3" },
    guests: { type: "string", default: "40" },
    seed: { type: "string", default: "proven" },
    factor: { type: "string", default: "1" },
    "real-sandboxes": { type: "boolean", default: false },
  },
});
if (values.dir === undefined) {
  process.stderr.write("--dir is missing: the folder that the lab may fill\n");
  process.exit(2);
}

const lab = await startLab({
  dir: resolve(values.dir),
  basePort: Number(values["base-port"]),
  nodes: Number(values.nodes),
  guests: Number(values.guests),
  seed: values.seed,
  realSandboxes: values["real-sandboxes"],
  clock: scaledClock(Number(values.factor)),
}).catch((error: unknown) => {
  const { code, port } = error as { code?: string; port?: number };
  if (code !== "EADDRINUSE") throw error;
  process.stderr.write(`port ${port} is taken: choose another --base-port\n`);
  process.exit(1);
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await lab.stop();
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
process.stdout.write(`${JSON.stringify({ ready: true, ...lab.places() })}\n`);
