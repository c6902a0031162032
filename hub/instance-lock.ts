import { createHash } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { createServer, type Server } from "node:net";

/**
 * Makes sure that one hub at a time works on a state directory: two would write the series store against each other. The lock is an abstract
 * Unix socket (unix(7)), which the kernel drops with its process, however that ends. Undefined: another process has it.
 */
export function lockInstance(stateDir: string): Promise<{ release(): void } | undefined> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const name = createHash("sha256").update(realpathSync(stateDir)).digest("hex");
  const server: Server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(`\0proven-hub/${name}`, () => {
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}
