import { createConnection } from "node:net";
import { parseJsonObject } from "../core/values.ts";

/**
 * One command on a VM's QMP socket, then the line is hung up: whoever else wants it (PVE) waits as long as somebody holds it. Undefined: it worked.
 * QEMU's qmp-spec: a greeting, `qmp_capabilities`, then commands; events may come between.
 */
export function runQmp(
  socketPath: string,
  command: { execute: string; arguments: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path: socketPath });
    let rest = "";
    let stage: "greeting" | "capabilities" | "command" = "greeting";
    const end = (problem: string | undefined) => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(problem);
    };
    const abort = () => end("QEMU did not answer in time");
    const say = (message: object) => socket.write(`${JSON.stringify(message)}\n`);
    const hear = (line: string) => {
      const message = parseJsonObject(line);
      if (message === undefined || message.event !== undefined) return;
      if (message.error !== undefined) return end(`QEMU refused: ${errorText(message.error)}`);
      if (stage === "greeting" && message.QMP !== undefined) {
        stage = "capabilities";
        say({ execute: "qmp_capabilities" });
      } else if (stage === "capabilities" && message.return !== undefined) {
        stage = "command";
        say(command);
      } else if (stage === "command" && message.return !== undefined) end(undefined);
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    socket.on("error", (error) => end(`QEMU's socket: ${error.message}`));
    socket.on("close", () => end("QEMU hung up"));
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = (lines.pop() ?? "").slice(0, 1 << 20);
      for (const line of lines) hear(line.trim());
    });
  });
}

function errorText(error: unknown): string {
  const text = typeof error === "object" && error !== null && "desc" in error ? error.desc : error;
  return String(text).slice(0, 300);
}
