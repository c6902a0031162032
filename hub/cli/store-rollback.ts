import { join } from "node:path";
import { lockInstance } from "../instance-lock.ts";
import { seriesSchema, seriesVersion } from "../store/migration.ts";
import { planRollback, type RolledStore, rollBack } from "../store/rollback.ts";
import { statePath, stateSchema, stateVersion } from "../store/state.ts";
import { StoreError } from "../store/store-error.ts";
import type { Say } from "./command-line.ts";

/** Those below a state directory. */
const rolledStores = (stateDir: string): RolledStore[] => [
  { name: "state", dir: statePath(stateDir), schema: stateSchema, version: stateVersion },
  { name: "series", dir: join(stateDir, "series"), schema: seriesSchema, version: seriesVersion },
];

/**
 * After a downgrade of the package: every store that a newer hub has upgraded goes back to its copy from before.
 * @throws StoreError while a hub runs, when there is nothing to do, and when one of the stores has no copy.
 */
export async function rollBackStores(stateDir: string, say: Say): Promise<void> {
  const lock = lockInstance(stateDir);
  if (lock === undefined) throw new StoreError(`a hub runs on ${stateDir}: systemctl stop proven-hub first`);
  try {
    const plans = await planRollback(rolledStores(stateDir));
    if (plans.length === 0)
      throw new StoreError(`this program reads the stores in ${stateDir} as they are: nothing to roll back`);
    for (const plan of plans) {
      rollBack(plan);
      const copiedAt = new Date(plan.copiedAt).toISOString();
      say(
        `${plan.name}: back from version ${plan.from} to ${plan.to}, as it was at ${copiedAt}; what came since is set aside in ${plan.aside}`,
      );
    }
    say("start the hub: systemctl start proven-hub");
  } finally {
    lock.release();
  }
}
