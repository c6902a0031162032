import type { Layout, ProtectionView } from "#protocol/panel.ts";
import type { Answer, ApiProblem } from "./api.ts";
import { emptyLayout } from "./core/layout.ts";
import { type Protections, protectionKey } from "./core/protection.ts";
import { Observable } from "./observable.ts";

export type OverviewApi = {
  layout(): Promise<Answer<Layout>>;
  saveLayout(layout: Layout): Promise<Answer<Layout>>;
  protection(): Promise<Answer<{ items: ProtectionView[] }>>;
};

/** What the overview shows beside the live stream: how guests are protected, and what this user arranged. */
export class OverviewState {
  readonly protections = new Observable<Protections>(undefined);
  readonly layout = new Observable<Layout>(emptyLayout);
  /** Why the last change of the layout was not kept; undefined: it was. */
  readonly problem = new Observable<ApiProblem | undefined>(undefined);
  #saving = Promise.resolve();
  #changes = 0;

  constructor(private readonly api: OverviewApi) {}

  async read(): Promise<void> {
    const changes = this.#changes;
    const [layout] = await Promise.all([this.api.layout(), this.readProtections()]);
    if (layout.ok && changes === this.#changes) this.layout.set(layout.value);
  }

  /** What can't be asked stays as it was known: its age is told with everything else's. */
  async readProtections(): Promise<void> {
    const answer = await this.api.protection();
    if (answer.ok) this.protections.set(new Map(answer.value.items.map((view) => [protectionKey(view), view])));
  }

  /**
   * Shown at once; kept by the hub one change after the other. The rest of what the hub keeps stays as it is there: it may never have been read
   * here, or another window has changed it since.
   */
  change(change: Partial<Layout>): Promise<void> {
    this.layout.set({ ...this.layout.value, ...change });
    const turn = ++this.#changes;
    this.#saving = this.#saving.then(async () => {
      const kept = await this.api.layout();
      const answer = kept.ok ? await this.api.saveLayout({ ...kept.value, ...change }) : kept;
      if (answer.ok && turn === this.#changes) this.layout.set(answer.value);
      this.problem.set(answer.ok ? undefined : answer.problem);
    });
    return this.#saving;
  }

  clear(): void {
    this.#changes++;
    this.protections.set(undefined);
    this.layout.set(emptyLayout);
    this.problem.set(undefined);
  }
}
