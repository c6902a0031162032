import type { Page } from "#protocol/api.ts";
import type { AuditEntryView, AuditState } from "#protocol/audit.ts";
import type { Policy, PolicyDecision, PolicyPlan, PolicyPreview, PolicyView } from "#protocol/policy.ts";
import type { BackupView, GuestProofView, RunDetail, RunView, StartRun } from "#protocol/proof.ts";
import type { Report, ReportLanguage, RestoreReportView } from "#protocol/report.ts";
import type { Answer, RequestOptions } from "./api.ts";

type Request = <T>(path: string, options?: RequestOptions) => Promise<Answer<T>>;

/** What the panel may leave to the hub: everything that has a default there. */
export type RunRequest = { vmid: number } & Partial<Omit<StartRun, "vmid">>;

const of = (id: string, verb = "") => `restore-tests/${encodeURIComponent(id)}${verb}`;

const ofPolicy = (id: string, verb = "") => `policies/${encodeURIComponent(id)}${verb}`;

/** What became of a night of a policy. */
export type PastNight = { from: number; until: number; decisions: PolicyDecision[] };

/** ms since the Unix epoch; `to` is not part of it. */
export type ReportPeriod = { from: number; to: number; lang: ReportLanguage };
const periodQuery = ({ from, to, lang }: ReportPeriod) => `from=${from}&to=${to}&lang=${lang}`;

/** The part of the API that is about proof that backups restore. */
export class ProofApi {
  constructor(
    private readonly request: Request,
    private readonly base: string,
  ) {}

  /** Newest first. */
  runs(
    query: { guest?: number; cluster?: string; policy?: string; since?: number; limit?: number } = {},
  ): Promise<Answer<Page<RunView>>> {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return this.request(pairs.length === 0 ? "restore-tests" : `restore-tests?${pairs.join("&")}`);
  }
  run(id: string): Promise<Answer<RunDetail>> {
    return this.request(of(id));
  }
  start(body: RunRequest): Promise<Answer<RunView>> {
    return this.request("restore-tests", { method: "POST", body });
  }
  cancel(id: string): Promise<Answer<unknown>> {
    return this.request(of(id), { method: "DELETE" });
  }
  keep(id: string, sec: number): Promise<Answer<unknown>> {
    return this.request(of(id, "/keep"), { method: "POST", body: { sec } });
  }
  backups(guest: number): Promise<Answer<Page<BackupView>>> {
    return this.request(`backups?guest=${guest}`);
  }
  /** Every guest with its newest backup and its proof. */
  guests(): Promise<Answer<Page<GuestProofView>>> {
    return this.request("proof");
  }

  /** One of them. */
  guest(vmid: number, cluster: string): Promise<Answer<Page<GuestProofView>>> {
    return this.request(`proof?guest=${vmid}&cluster=${encodeURIComponent(cluster)}`);
  }

  policies(): Promise<Answer<Page<PolicyView>>> {
    return this.request("policies");
  }
  plan(policy: string): Promise<Answer<PolicyPlan>> {
    return this.request(ofPolicy(policy, "/plan"));
  }
  nights(policy: string): Promise<Answer<Page<PastNight>>> {
    return this.request(ofPolicy(policy, "/nights"));
  }
  previewPolicy(policy: unknown, signal: AbortSignal): Promise<Answer<PolicyPreview>> {
    return this.request("policies/preview", { method: "POST", body: policy, signal });
  }
  /** `create`: its id must be new. */
  savePolicy(policy: Policy, create: boolean): Promise<Answer<PolicyView>> {
    return create
      ? this.request("policies", { method: "POST", body: policy })
      : this.request(ofPolicy(policy.id), { method: "PUT", body: policy });
  }
  enablePolicy(id: string, enabled: boolean): Promise<Answer<PolicyView>> {
    return this.request(ofPolicy(id, "/enable"), { method: "POST", body: { enabled } });
  }
  removePolicy(id: string): Promise<Answer<unknown>> {
    return this.request(ofPolicy(id), { method: "DELETE" });
  }

  reports(): Promise<Answer<Page<Report>>> {
    return this.request("reports");
  }
  saveReport(report: Report): Promise<Answer<Report>> {
    return this.request(`reports/${encodeURIComponent(report.id)}`, { method: "PUT", body: report });
  }
  removeReport(id: string): Promise<Answer<unknown>> {
    return this.request(`reports/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
  report(period: ReportPeriod): Promise<Answer<RestoreReportView>> {
    return this.request(`reports/restore?${periodQuery(period)}`);
  }
  reportUrl(period: ReportPeriod): string {
    return `${this.base}/api/v1/reports/restore.pdf?${periodQuery(period)}`;
  }

  audit(): Promise<Answer<AuditState>> {
    return this.request("audit");
  }
  /** Empty: of everybody, of every kind. `cursor`: `next` of the page before. */
  auditEntries(query: { actor: string; kind: string; cursor: number | undefined }): Promise<Answer<Page<AuditEntryView>>> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    return this.request(
      `audit/entries?${given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&")}`,
    );
  }
  verifyAudit(): Promise<Answer<AuditState>> {
    return this.request("audit/verify", { method: "POST" });
  }

  /** Where a browser gets a file of a run; it asks with its own cookie. */
  fileUrl(id: string, name: "evidence.json" | "evidence.pdf" | "screenshot"): string {
    return `${this.base}/api/v1/${of(id, `/${name}`)}`;
  }
}
