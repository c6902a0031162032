import { join } from "node:path";
import type { Message } from "#protocol/messages.ts";
import { createRunCheck } from "../checks/run-check.ts";
import type { AgentConfig } from "../config.ts";
import { archiveSumsIn } from "../integrity/archive-sums.ts";
import { createCheckIntegrity, createVerifyPbs } from "../integrity/check-integrity.ts";
import { createReadArchive } from "../integrity/reading-process.ts";
import type { Clock, Log, RunCommand } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { createHostCommand, isConfined } from "../pve/host-command.ts";
import { patientApi } from "../pve/patient-api.ts";
import { createSandboxes } from "../sandbox/sandboxes.ts";
import { Operations, type OperationsPorts } from "./operations.ts";
import type { RestoreLimits, RestorePorts } from "./ports.ts";

/** What operations need of the agent that runs them. */
export type LoadPorts = {
  config: Pick<AgentConfig, "root" | "state" | "restore_test">;
  node: string;
  api: PveApi;
  run: RunCommand;
  clock: Clock;
  log: Log;
};

export const operationsDir = (state: string) => join(state, "operations");

/** The agent's own restore_test section as limits. */
function limitsOf({
  vmid_first,
  vmid_last,
  memory_mib,
  reserve_mib,
  keep_sec,
  restore_mib_per_sec,
  ...rest
}: AgentConfig["restore_test"]): RestoreLimits {
  const { enabled, storages, parallel, pool } = rest;
  return {
    enabled,
    vmids: { first: vmid_first, last: vmid_last },
    storages,
    memoryMib: memory_mib,
    reserveMib: reserve_mib,
    parallel,
    keepSec: keep_sec,
    bwlimitKib: restore_mib_per_sec === undefined ? undefined : restore_mib_per_sec * 1024,
    pool,
  };
}

/** Sandboxes, checks and archives of this very node. */
export function restorePorts({ config, node, clock, log, ...ports }: LoadPorts): RestorePorts {
  const api = patientApi(ports.api, clock);
  const { root, state } = config;
  const run = createHostCommand(ports.run, isConfined());
  const self = [process.execPath, ...process.execArgv, process.argv[1] ?? ""];
  return {
    node,
    root,
    api,
    run,
    sandboxes: createSandboxes({ run, clock, log, stateDir: state }),
    check: createRunCheck({ api, run, node, clock, root, self }),
    integrity: createCheckIntegrity({ api, node, root, clock, sums: archiveSumsIn(state), readArchive: createReadArchive(self) }),
    verifyPbs: createVerifyPbs({ root, clock }),
    limits: limitsOf(config.restore_test),
    clock,
    log,
  };
}

export function loadOperations(
  ports: LoadPorts,
  send: (message: Message) => void,
  onProblems: OperationsPorts["onProblems"],
): Operations {
  return new Operations({ restore: restorePorts(ports), dir: operationsDir(ports.config.state), send, onProblems });
}
