import { html, nothing } from "lit";
import type { EntityView } from "#protocol/entities.ts";
import type { Answer } from "../api.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { entityLink } from "./link.ts";
import { shared } from "./styles.ts";

/** The way from a storage to the Backup Server's datastore behind it. */
export class ProvenDatastoreLink extends AskedElement<EntityView | undefined> {
  static override properties = { ...AskedElement.properties, storage: { attribute: false }, cluster: { attribute: false } };
  static override styles = [shared];
  declare storage: string;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.storage}`;
  }

  protected async ask(): Promise<Answer<EntityView | undefined>> {
    const answer = await this.panel.api.entities.list({ kind: "datastore", cluster: this.cluster });
    if (!answer.ok) return answer;
    return { ok: true, value: answer.value.items.find(({ storages }) => storages.includes(this.storage)) };
  }

  protected override render() {
    const { value } = this.asked;
    return value === undefined
      ? nothing
      : html`<p>${entityLink(this.panel, value, t("Datastore {name}: verification, garbage collection, deduplication", { name: value.title }))}</p>`;
  }
}
customElements.define("proven-datastore-link", ProvenDatastoreLink);
