import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import { nodeKey } from "#protocol/ids.ts";
import type { Operation } from "#protocol/operations.ts";
import { byText } from "#protocol/order.ts";
import type { Policy, PolicyDecision, PolicyPlan, PolicyView } from "#protocol/policy.ts";
import type { RestoreCheck } from "#protocol/restore.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { guestEntity } from "../core/entity-facts.ts";
import { guestName, type OwnedGuest } from "../core/inventory.ts";
import { checksFor, defaultPolicy } from "../core/policy-check.ts";
import { badgeOf, isOfGuest } from "../core/proof.ts";
import { refusingNode } from "../core/refusing-node.ts";
import { isOpen } from "../core/run.ts";
import { chooseNode } from "../core/run-node.ts";
import type { Run } from "../core/run-record.ts";
import { type EntityFacts, matcherOf } from "../core/scope.ts";
import { testGuestsOf } from "../core/test-guest.ts";
import { dueAt, neededMs, openings, type Place, type PolicyGuest, planNights, stepPolicy } from "../core/verify-policy.ts";
import { recurrenceSpan, type Span, SpanCache } from "../core/window.ts";
import type { Clock } from "../ports.ts";
import type { StateStore } from "../store/state.ts";
import type { Catalogue, FoundBackup } from "./catalogue.ts";
import type { Operations } from "./operations.ts";
import { type PastNight, PolicyNights } from "./policy-nights.ts";
import type { RunBook } from "./run-book.ts";

export type VerifyPorts = {
  state: StateStore;
  clock: Clock;
  book: RunBook;
  catalogue: Catalogue;
  operations: Pick<Operations, "start">;
  pictures(): ClusterPicture[];
  takes(agent: { cluster: ClusterId; node: NodeName }): boolean;
  /** Why a test of so long should wait for backups of this node, a sentence; undefined: it need not. `endBy`: when it has to be over. */
  backsUp(cluster: ClusterId, node: NodeName, needed: { needMs: number; endBy: number }): string | undefined;
  /** Why it is not to be touched now, a sentence; undefined: nothing speaks against it. */
  maintenance(facts: EntityFacts): string | undefined;
  timezone(): string;
};

type Member = { picture: ClusterPicture; owned: OwnedGuest; facts: EntityFacts };
type Asked = PolicyGuest & { member: Member };

/** Between two looks while a window is open; at most until the next look at when one opens. */
const openLookMs = 30_000;
const closedLookMs = 10 * 60_000;
const nightsShown = 7;
const refusedMs = 3_600_000;
const shipped = { actor: "hub", reason: "comes with Proven" };
const observed = { actor: "hub", reason: "observed" };

/** Orders restore tests by policy. What is due follows from runs and proofs in the store at each look, so that a restart forgets nothing. */
export class VerifyLoop {
  private known: Policy[] = [];
  private readonly since = new Map<string, EpochMs>();
  private readonly spans = new SpanCache<Policy>((policy, now) => recurrenceSpan(policy.window, now));
  private readonly nights = new Map<string, { from: EpochMs; span: Span; nights: EpochMs[] }>();
  private readonly records: PolicyNights;
  private wake: (withinMs: number) => void = () => undefined;
  private reloads = 0;

  constructor(private readonly ports: VerifyPorts) {
    const { state, book } = ports;
    this.records = new PolicyNights(state);
    if (state.list("policy").length === 0) {
      const policy = defaultPolicy(ports.timezone());
      state.put("policy", policy.id, policy, shipped);
    }
    this.reload();
    book.onRun((run) => {
      if (!isOpen(run) && run.policy !== null) this.wake(0);
    });
  }

  onWork(wake: (withinMs: number) => void): void {
    this.wake = wake;
  }

  /** Another number than before: policies may be others. */
  get version(): number {
    return this.reloads;
  }

  /** Somebody changed policies. */
  reload(): void {
    this.reloads++;
    const { state, clock } = this.ports;
    this.known = state
      .list("policy")
      .map(({ document }) => document)
      .sort((a, b) => a.order - b.order || byText(a.id, b.id));
    this.spans.clear();
    this.nights.clear();
    for (const { id, enabled } of this.known) {
      if (!enabled) state.remove("policySince", id, observed);
      else if (state.get("policySince", id) === undefined) state.put("policySince", id, { since: clock.now() }, observed);
      this.since.set(id, state.get("policySince", id)?.since ?? clock.now());
    }
    this.wake(0);
  }

  policies(): readonly Policy[] {
    return this.known;
  }

  /** The policy that holds a guest; undefined: none does. */
  policyOf(cluster: ClusterId, owned: OwnedGuest): Policy | undefined {
    const facts = guestEntity(cluster, owned);
    return this.known.find((policy) => policy.enabled && matcherOf(policy.scope)(facts, null));
  }

  checksOf(cluster: ClusterId, owned: OwnedGuest): RestoreCheck[] {
    const policy = this.policyOf(cluster, owned);
    return policy === undefined ? [] : checksFor(policy, owned.facts.tags);
  }

  /** When the policy of a guest wants its next test. */
  dueOf(cluster: ClusterId, owned: OwnedGuest): { everyDays: number; dueAt: EpochMs } | undefined {
    const policy = this.policyOf(cluster, owned);
    if (policy === undefined) return undefined;
    const record = this.recordOf(cluster, owned);
    const since = this.sinceOf(policy);
    return { everyDays: policy.everyDays, dueAt: dueAt({ provenAt: record?.lastGood?.at ?? null, since }, policy) };
  }

  view(policy: Policy): PolicyView {
    const now = this.ports.clock.now();
    const span = this.spans.at(policy, now);
    const badges = this.members(policy).map(
      ({ facts, owned }) => badgeOf(this.recordOf(facts.cluster, owned), owned.facts.identity, policy.everyDays, now).state,
    );
    const proven = badges.filter((state) => state === "proven").length;
    const [next] = openings({ ...policy, everyDays: 8 }, now);
    return { ...policy, guests: badges.length, proven, overdue: badges.length - proven, open: span.active, nextAt: next ?? null };
  }

  /** What it would do, as if it were enabled. */
  plan(policy: Policy): PolicyPlan {
    const now = this.ports.clock.now();
    const guests = this.guestsOf(policy);
    const decisions = stepPolicy({ ...this.stateOf({ ...policy, enabled: true }, guests, now), now });
    return { decisions, ...planNights({ policy, guests, now }, nightsShown) };
  }

  /** What became of its nights, the newest first. */
  pastNights(policy: string): PastNight[] {
    return this.records.past(policy, this.ports.clock.now());
  }

  /** One pass. Returns in how many ms the next one is due. */
  tick(): number {
    const now = this.ports.clock.now();
    let next = closedLookMs;
    for (const policy of this.known) {
      if (!policy.enabled) continue;
      const { span } = this.timesOf(policy, now);
      if (!span.active) {
        this.records.close(policy.id, span, now);
        next = Math.min(next, Math.max(1000, span.until - now));
        continue;
      }
      next = Math.min(next, openLookMs);
      const guests = this.guestsOf(policy);
      const decisions = stepPolicy({ ...this.stateOf(policy, guests, now), now });
      for (const decision of decisions) if (decision.decision === "test") this.order(policy, guests, decision, span);
      this.records.note(policy.id, span, decisions, this.begunIn(policy, span), now);
    }
    return next;
  }

  /** Runs that this policy ordered since its window opened, the newest first. */
  private begunIn({ id }: Policy, { from }: Span): Run[] {
    return this.ports.book.newest().filter(({ policy, createdAt }) => policy === id && createdAt >= from);
  }

  private order(policy: Policy, guests: readonly Asked[], { cluster, vmid, why }: PolicyDecision, span: Span): void {
    const guest = guests.find((one) => one.cluster === cluster && one.vmid === vmid);
    const node = guest === undefined ? undefined : this.placeOf(policy, guest, new Map(), this.ports.book.newest());
    const [newest] = guest === undefined ? [] : this.backupsOf(policy, guest.member);
    if (guest === undefined || newest === undefined || node?.ok !== true) return;
    const { facts } = guest.member.owned;
    this.ports.operations.start({
      cluster: guest.member.facts.cluster,
      guest: { vmid, type: facts.type, name: guestName(facts), identity: [...facts.identity] },
      backupAt: newest.backup.at as EpochMs,
      operation: testOf(policy, facts, newest),
      actor: `policy ${policy.id}`,
      reason: `${policy.name}: ${why}`,
      policy: policy.id,
      expiresAt: span.until,
      nodes: [node.node as NodeName],
    });
  }

  private stateOf(policy: Policy, guests: readonly Asked[], now: EpochMs) {
    const { book } = this.ports;
    const { span, nights } = this.timesOf(policy, now);
    const open = book.open().filter((run) => run.policy === policy.id);
    const planned = new Map<string, number>();
    const newest = book.newest();
    const members = new Map(guests.map((guest) => [`${guest.cluster}/${guest.vmid}`, guest]));
    const place = ({ cluster, vmid }: PolicyGuest): Place => {
      const guest = members.get(`${cluster}/${vmid}`);
      if (guest === undefined) return { ok: false, busy: false, why: "it is gone" };
      const found = this.placeOf(policy, guest, planned, newest);
      if (found.ok) planned.set(found.node, 1 + (planned.get(found.node) ?? 0));
      return found;
    };
    const begun = span.active ? this.begunIn(policy, span).filter(({ outcome }) => outcome !== "refused").length : 0;
    return { policy, guests, running: open.length, begun, place, span, nights };
  }

  private timesOf(policy: Policy, now: EpochMs) {
    const span = this.spans.at(policy, now);
    const known = this.nights.get(policy.id);
    if (known !== undefined && known.span === span && known.from === span.from) return known;
    const times = { from: span.from, span, nights: openings(policy, now) };
    this.nights.set(policy.id, times);
    return times;
  }

  private members(policy: Policy): Member[] {
    const matches = matcherOf(policy.scope);
    const before = this.known.filter((one) => one.enabled && one.id !== policy.id && one.order < policy.order);
    const { book, clock } = this.ports;
    return this.ports.pictures().flatMap((picture) => {
      const tests = testGuestsOf(picture, book.testGuests(picture.cluster, clock.now()));
      return [...picture.owners.values()].flatMap((owned): Member[] => {
        if (owned.facts.template || tests.has(owned.facts.vmid)) return [];
        const facts = guestEntity(picture.cluster, owned);
        if (!matches(facts, null) || before.some(({ scope }) => matcherOf(scope)(facts, null))) return [];
        return [{ picture, owned, facts }];
      });
    });
  }

  private guestsOf(policy: Policy): Asked[] {
    const tried = newestTries(this.ports.book.newest(), this.ports.clock.now());
    const since = this.sinceOf(policy);
    return this.members(policy).map((member): Asked => {
      const { facts, owned } = member;
      const { vmid } = owned.facts;
      const record = this.recordOf(facts.cluster, owned);
      const last = tried.get(`${facts.cluster}/${vmid}`);
      return {
        cluster: facts.cluster,
        vmid,
        name: guestName(owned.facts),
        since,
        provenAt: record?.lastGood?.at ?? null,
        triedAt: last?.createdAt ?? null,
        usualMs: record?.lastGood?.durationMs ?? record?.lastTest?.durationMs,
        running: last !== undefined && isOpen(last),
        blocked: this.blockedBy(policy, member),
        member,
      };
    });
  }

  private blockedBy(policy: Policy, member: Member): PolicyGuest["blocked"] {
    if (this.backupsOf(policy, member).length === 0) {
      const where = policy.storages.length === 0 ? "" : ` on ${policy.storages.join(", ")}`;
      return { decision: "no-backup", why: `No backup of it is known${where}` };
    }
    const why = this.ports.maintenance(member.facts);
    return why === undefined ? undefined : { decision: "maintenance", why };
  }

  private backupsOf({ storages }: Policy, { facts, owned }: Member) {
    const all = this.ports.catalogue.ofGuest(facts.cluster, owned.facts);
    return storages.length === 0 ? all : all.filter(({ set }) => storages.includes(set.storage));
  }

  /** `planned`: tests that this pass gives to each node. `runs`: all, newest first. */
  private placeOf(policy: Policy, asked: Asked, planned: ReadonlyMap<string, number>, runs: readonly Run[]): Place {
    const { book, takes, catalogue, clock } = this.ports;
    const { member } = asked;
    const { cluster } = member.facts;
    const now = clock.now();
    // What is overdue has waited long enough for jobs that come.
    const endBy = now >= dueAt(asked, policy) ? now : this.spans.at(policy, now).until;
    const heldBack = (node: NodeName) =>
      this.ports.backsUp(cluster, node, { needMs: neededMs(asked), endBy }) ?? refusingNode(runs, { cluster, node }, now);
    const [newest] = this.backupsOf(policy, member);
    if (newest === undefined) return { ok: false, busy: false, why: "no backup of it is known" };
    const open = book.open().filter((run) => run.cluster === cluster);
    const busy = (node: NodeName) => open.filter((run) => (run.node ?? run.nodes[0]) === node).length + (planned.get(node) ?? 0);
    const run = {
      guest: { vmid: member.owned.facts.vmid, type: member.owned.facts.type, name: "", identity: [] },
      operation: testOf(policy, member.owned.facts, newest),
      nodes: policy.nodes as NodeName[],
    };
    const question = {
      picture: member.picture,
      takes: (node: NodeName) => takes({ cluster, node }),
      busy,
      holders: (storage: string, volid: string) => catalogue.holders(cluster, storage, volid),
      now,
    };
    const any = chooseNode(run, question);
    if (!any.ok) return { ok: false, busy: false, why: any.why };
    const isFree = (node: NodeName) =>
      question.takes(node) && busy(node) < policy.parallel.perNode && heldBack(node) === undefined;
    const free = chooseNode(run, { ...question, takes: isFree });
    if (free.ok) return free;
    const why = heldBack(any.node) ?? `${any.node} has its ${policy.parallel.perNode} tests already`;
    return { ok: false, busy: true, why };
  }

  private recordOf(cluster: ClusterId, { facts }: OwnedGuest) {
    const record = this.ports.book.proof(cluster, facts.vmid);
    return record !== undefined && isOfGuest(record, facts.identity) ? record : undefined;
  }

  private sinceOf({ id }: Policy): EpochMs {
    return this.since.get(id) ?? this.ports.clock.now();
  }
}

/** The test of one guest's backup as a policy wants it. */
function testOf(
  policy: Policy,
  { vmid, tags }: OwnedGuest["facts"],
  { set, backup }: FoundBackup,
): Extract<Operation, { kind: "restore-test" }> {
  const { integrity, screenshot, benchmark, timeoutSec, bootSec, keepSec, target } = policy;
  const params = {
    vmid,
    type: backup.type,
    backup: { storage: set.storage, volid: backup.volid },
    ...(target === undefined ? {} : { storage: target }),
    checks: checksFor(policy, tags),
    ...{ integrity, screenshot, benchmark, timeoutSec, bootSec, keepSec },
  };
  return { kind: "restore-test", params };
}

/**
 * The newest restore test of each guest that was meant; what somebody cancelled was not tried. A refused one says nothing of the backup, often since
 * another test was in its way: it counts for a while only, so that the same night tries again. The longer it took, the longer: what is restored for
 * hours and can't start on that node is not restored all night.
 */
function newestTries(newestFirst: readonly Run[], now: EpochMs): Map<string, Run> {
  const found = new Map<string, Run>();
  for (const run of newestFirst) {
    if (run.kind !== "restore-test" || run.guest === null || run.outcome === "cancelled") continue;
    if (run.outcome === "refused" && now - run.createdAt > Math.max(refusedMs, 4 * (run.durationMs ?? 0))) continue;
    const key = `${run.cluster}/${run.guest.vmid}`;
    if (!found.has(key)) found.set(key, run);
  }
  return found;
}

/** Windows and facts that keep tests away from a guest and its node. */
export function maintenanceOf(
  windows: readonly { name: string; holds(facts: EntityFacts): boolean }[],
  automatic: readonly { id: string; text: string }[],
): VerifyPorts["maintenance"] {
  return (facts) => {
    const node = facts.node === undefined ? undefined : nodeKey(facts.node);
    const of = (entity: string | undefined) =>
      automatic.find(({ id }) => entity !== undefined && id.endsWith(`@${facts.cluster} ${entity}`));
    const fact = of(facts.entity) ?? of(node);
    if (fact !== undefined) return fact.text;
    const window = windows.find(({ holds }) => holds(facts));
    return window === undefined ? undefined : `It is in the maintenance window ${window.name}`;
  };
}
