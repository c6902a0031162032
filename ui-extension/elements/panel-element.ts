import { LitElement } from "lit";
import type { Observable } from "../observable.ts";
import type { Panel } from "../panel.ts";

/** An element that shows something of a panel, and is drawn anew when what it watches changes. */
export abstract class PanelElement extends LitElement {
  static override properties: Record<string, object> = { panel: { attribute: false } };
  declare panel: Panel;
  #stops: (() => void)[] = [];

  /** What it watches while it is on the page. */
  protected abstract watched(): readonly Observable<never>[] | readonly Observable<unknown>[];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stops = this.watched().map((observable) => observable.subscribe(() => this.requestUpdate()));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }
}
