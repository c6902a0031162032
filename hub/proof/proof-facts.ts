import { type NodeName, vmidOfKey } from "#protocol/ids.ts";
import type { AlertLoopPorts } from "../alerting/alert-loop.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { backupState } from "../core/backup-catalogue.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import type { ProofFacts } from "../core/fact-samples.ts";
import { badgeOf } from "../core/proof.ts";
import type { Catalogue } from "./catalogue.ts";
import type { RunBook } from "./run-book.ts";
import type { VerifyLoop } from "./verify-loop.ts";

export type ProofFactsParts = {
  book: RunBook;
  catalogue: Catalogue;
  verify: Pick<VerifyLoop, "dueOf" | "version">;
  /** What a guest's tests measured last. */
  figures: ProofFacts["figures"];
  /** The hub's address as people reach it. */
  base(): string;
  picture(cluster: string): ClusterPicture | undefined;
};

/** An agent's outlet takes 1000 characters of an alert's text, the rule's own sentence among them. */
const noteMax = 800;
const logLines = 5;
const dayMs = 86_400_000;

/** What restore tests tell the rules, and what alerts about them say beside their sentence. */
export function proofFacts({
  book,
  catalogue,
  verify,
  figures,
  base,
  picture,
}: ProofFactsParts): NonNullable<AlertLoopPorts["proofs"]> {
  return {
    get version() {
      return book.version + catalogue.version + verify.version;
    },
    holdsUntil: ({ cluster }, owned, now) => {
      const policy = verify.dueOf(cluster, owned);
      if (policy === undefined) return Number.POSITIVE_INFINITY;
      const provenAt = book.proof(cluster, owned.facts.vmid)?.lastGood?.at;
      const instants = [policy.dueAt, ...(provenAt === undefined ? [] : [provenAt + policy.everyDays * dayMs])];
      return Math.min(...instants.filter((at) => at >= now));
    },
    proof: ({ cluster }, owned, now) => {
      const { vmid, identity } = owned.facts;
      const policy = verify.dueOf(cluster, owned);
      const { state } = badgeOf(book.proof(cluster, vmid), identity, policy?.everyDays, now);
      // One that no test ever proved in its policy's first period is as late as one whose proof is old.
      return (state === "never" || state === "unknown") && policy !== undefined && now > policy.dueAt ? "overdue" : state;
    },
    backupBytes: ({ cluster }, { facts }) => {
      const [newest] = catalogue.ofGuest(cluster, facts);
      if (newest === undefined) return undefined;
      const { set, backup } = newest;
      return backupState(backup, book.checked(cluster, set.storage, backup.volid)).state;
    },
    figures,
    leftovers: ({ cluster }, node) => book.leftoversOn(cluster, node)?.length,
    note: (record) => (record.rule === "restore-range-stranger" ? strangersOf(picture, record) : noteOf(book, base(), record)),
  };
}

/** Which guests, and why they aren't ours, as their node's agent told. */
function strangersOf(picture: ProofFactsParts["picture"], { subject }: AlertRecord): string | undefined {
  const node = subject.entity.slice("node/".length) as NodeName;
  const strangers = picture(subject.cluster)?.agents.get(node)?.inventory?.inventory.node.rangeStrangers ?? [];
  if (strangers.length === 0) return undefined;
  return strangers
    .map(({ vmid, why }) => `${vmid}: ${why}`)
    .join("; ")
    .slice(0, noteMax);
}

/** Snapshot, verdict, the end of the log, and where to look; of the test that the alert is about. */
function noteOf(book: RunBook, base: string, { rule, subject }: AlertRecord): string | undefined {
  if (rule !== "restore-test-failed") return undefined;
  const vmid = vmidOfKey(subject.entity);
  const test = vmid === undefined ? undefined : book.proof(subject.cluster, vmid)?.lastTest;
  if (test?.outcome !== "failed") return undefined;
  const screenshot = `${base}/api/v1/restore-tests/${test.runId}/screenshot`;
  const lines = [
    test.verdict,
    `Backup: ${test.backup}`,
    ...(test.screenshot ? [`Screenshot: ${screenshot}`] : []),
    `Run: ${base}/#/proofs/${test.runId}`,
    ...(test.log.length === 0 ? [] : ["Log:", ...test.log.slice(-logLines)]),
  ];
  return lines.join("\n").slice(0, noteMax);
}
