import type { RestorePlan, RestoreTest } from "#protocol/restore.ts";
import { dryRun } from "../core/restore/dry-run.ts";
import { hasAgent } from "../core/restore/isolate-vm.ts";
import { NodeView } from "./node-view.ts";
import type { RestorePorts } from "./ports.ts";
import type { StepResult } from "./run.ts";
import * as prepare from "./steps/prepare.ts";

/** What a restore test would do; reads, and changes nothing. A plan that would be refused says why. */
export async function planRestoreTest(
  id: string,
  test: RestoreTest,
  ports: RestorePorts,
  takenVmids: () => ReadonlySet<number>,
): Promise<{ ok: true; plan: RestorePlan } | { ok: false; problem: string }> {
  const preparing = {
    id,
    test,
    ports,
    view: new NodeView(ports),
    takenVmids,
    otherClaims: () => [],
    reserve: nothing,
    claim: nothing,
  };
  const found = await prepare.locate(preparing);
  if ("failed" in found) return { ok: false, problem: found.failed };
  const configuration = await prepare.readConfiguration(preparing);
  if ("failed" in configuration) return { ok: false, problem: configuration.failed };
  const { config, needs } = configuration.value;
  const place = await prepare.preflight(preparing, configuration.value);
  const where = placeOr(place, ports, test, needs.storages);
  const plan = prepare.planFor(config, prepare.isolationOf(preparing, where, prepare.unknownBridge));
  const problems = "failed" in place ? [place.failed] : [];
  const { vmid: testVmid, storage } = where;
  return {
    ok: true,
    plan: dryRun(test, ports.node, {
      testVmid,
      storage,
      needsBytes: needs.bytes,
      plan,
      problems,
      expectsAgent: hasAgent(config),
    }),
  };
}

const nothing = () => undefined;

/** A plan that is refused still shows what it would be, with what is known. */
function placeOr(
  place: StepResult<prepare.Place>,
  { limits }: RestorePorts,
  test: RestoreTest,
  storages: readonly string[],
): prepare.Place {
  if (!("failed" in place)) return place.value;
  const storage = test.storage ?? limits.storages[0] ?? storages[0] ?? "none";
  return { vmid: limits.vmids.first, storage, memoryMib: test.memoryMib ?? limits.memoryMib, cpus: undefined };
}
