import type { Client, ConnectConfig } from "ssh2";
import type { RunCommand } from "../../ports.ts";
import type { CheckOf } from "../network-checks.ts";
import type { Secret } from "../secrets.ts";
import { errorText, failed, impossible, passed, quoted, type Verdict } from "../verdict.ts";

const outputMaxChars = 64 << 10;

export async function probeIcmp(address: string, run: RunCommand): Promise<Verdict> {
  const result = await run("ping", ["-n", "-c", "1", "-W", "2", address], { timeoutMs: 5000, maxBytes: 65_536 });
  if (!result.ok)
    return /not installed$/.test(result.problem)
      ? impossible("ping is not installed: apt install iputils-ping")
      : failed(result.problem);
  if (result.code !== 0) return failed("no answer to ping");
  const time = /time=([0-9.]+ ms)/.exec(result.stdout)?.[1];
  return passed(time === undefined ? "answers ping" : `answers ping in ${time}`);
}

type Ran = { code: number | undefined; output: string };

/** Runs the command over SSH. The guest's host key is taken as it is: nobody else is in the sandbox. */
export async function probeSsh(
  check: CheckOf<"ssh">,
  address: string,
  secret: Secret,
  signal: AbortSignal,
  withinMs: number,
): Promise<Verdict> {
  const { default: ssh2 } = await import("ssh2");
  const client = new ssh2.Client();
  // It tells of a lost connection after it told of a timeout, and an error that nobody listens to ends the agent.
  client.on("error", () => undefined);
  signal.addEventListener("abort", () => client.destroy(), { once: true });
  const config = { host: address, port: check.port ?? 22, username: check.user, readyTimeout: withinMs, ...secret };
  try {
    await ready(client, config);
    const { code, output } = await runOver(client, check.command);
    if (code !== 0)
      return failed(`the command ended with ${code === undefined ? "a signal" : `exit code ${code}`}${quoted(output)}`);
    if (check.text !== undefined && !output.includes(check.text)) {
      return failed(`its output does not hold ${JSON.stringify(check.text)}${quoted(output)}`);
    }
    return passed(`the command ended well${quoted(output, 200)}`);
  } catch (error) {
    const refused = error instanceof Error && "level" in error && error.level === "client-authentication";
    return refused ? failed(`user ${check.user} was not let in with the secret`) : failed(errorText(error));
  } finally {
    client.destroy();
  }
}

function ready(client: Client, config: ConnectConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once("ready", resolve);
    client.once("error", reject);
    client.once("close", () => reject(new Error("the connection was closed")));
    client.connect(config);
  });
}

function runOver(client: Client, command: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.once("close", () => reject(new Error("the connection was closed while the command ran")));
    client.exec(command, (error, stream) => {
      if (error !== undefined) return reject(error);
      let output = "";
      const take = (chunk: Buffer) => {
        output = (output + chunk.toString("utf8")).slice(-outputMaxChars);
      };
      stream.on("data", take);
      stream.stderr.on("data", take);
      stream.once("close", (code: number | null | undefined) => resolve({ code: code ?? undefined, output }));
    });
  });
}
