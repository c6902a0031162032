import type { Page } from "#protocol/api.ts";
import type { BackupView, RunDetail, RunView, StartRun } from "#protocol/proof.ts";
import type { Answer, RequestOptions } from "./api.ts";

type Request = <T>(path: string, options?: RequestOptions) => Promise<Answer<T>>;

/** What the panel may leave to the hub: everything that has a default there. */
export type RunRequest = { vmid: number } & Partial<Omit<StartRun, "vmid">>;

const of = (id: string, verb = "") => `restore-tests/${encodeURIComponent(id)}${verb}`;

/** The part of the API that is about proof that backups restore. */
export class ProofApi {
  constructor(
    private readonly request: Request,
    private readonly base: string,
  ) {}

  /** Newest first. */
  runs(query: { guest?: number; limit?: number } = {}): Promise<Answer<Page<RunView>>> {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${value}`);
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
  /** Where a browser gets a file of a run; it asks with its own cookie. */
  fileUrl(id: string, name: "evidence.json" | "evidence.pdf" | "screenshot"): string {
    return `${this.base}/api/v1/${of(id, `/${name}`)}`;
  }
}
