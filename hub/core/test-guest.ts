import type { GuestFacts } from "#protocol/inventory.ts";
import type { ClusterPicture } from "./cluster.ts";

/** As the agent marks them (agent/core/restore/marker.ts), in the create call already. */
const testTag = "proven-test";
const testName = /^proven-test-[1-9][0-9]*$/;

/**
 * Numbers of our own test guests, whose backups nobody has to make or prove. `ofRuns`: those that this hub knows of by its runs; one that somebody
 * tests at the node itself carries our tag and our name. A clone of one has another name, and one that was taken over lacks the tag: both count as any guest.
 */
export function testGuestsOf({ owners }: Pick<ClusterPicture, "owners">, ofRuns: ReadonlySet<number>): ReadonlySet<number> {
  const marked = [...owners.values()].filter(({ facts }) => isTestGuest(facts)).map(({ facts }) => facts.vmid);
  return marked.length === 0 ? ofRuns : new Set([...ofRuns, ...marked]);
}

/** By its marks alone: what is left of a guest that is gone. */
export const isTestGuest = ({ tags, name }: Pick<GuestFacts, "tags" | "name">) =>
  tags.includes(testTag) && testName.test(name ?? "");
