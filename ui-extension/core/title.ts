import { sectionName } from "./find.ts";
import type { Picture } from "./problems.ts";
import type { Page } from "./route.ts";
import type { Translate } from "./text.ts";

/** What the browser's tab, its history and a bookmark say of a page; `needing`: alerts that somebody has to look at. */
export function pageTitle(page: Page, { guests }: Pick<Picture, "guests">, needing: number, t: Translate): string {
  const name = nameOf(page, guests, t);
  return `${needing > 0 ? `(${needing}) ` : ""}${name === "" ? "" : `${name} · `}Proven`;
}

function nameOf(page: Page, guests: Picture["guests"], t: Translate): string {
  if (page.kind === "overview") return "";
  if (page.kind === "section") return sectionName(page.section, t);
  const guest = guests.find(
    ({ entity, cluster }) => entity === page.entity && (page.cluster === undefined || cluster === page.cluster),
  );
  return guest === undefined ? page.entity.replace(/^[a-z]+\//, "") : `${guest.vmid} ${guest.name}`;
}
