import { groupCauses, headlineOf } from "./alerts.ts";
import { guestLabel, type Picture, storageLabel } from "./problems.ts";
import { menuSections, type Page, type Section } from "./route.ts";
import type { Findable } from "./search.ts";
import type { Translate } from "./text.ts";

export type FoundKind = "page" | "node" | "guest" | "storage" | "alert";
export type Place = Findable & { kind: FoundKind; detail: string; page: Page };

export function sectionName(section: Section, t: Translate): string {
  const names: Record<Section, () => string> = {
    guests: () => t("Guests"),
    proofs: () => t("Restore proof"),
    policies: () => t("Test policies"),
    reports: () => t("Proof reports"),
    alerts: () => t("Alerts"),
    rules: () => t("Rules"),
    silences: () => t("Silences"),
    routes: () => t("Routes"),
    events: () => t("Events"),
    agents: () => t("Agents"),
    browser: () => t("This browser"),
    screen: () => t("Wall screen"),
  };
  return names[section]();
}

/** Everything in the panel that has a page. `cluster`: named in an entity's page where there are several. */
export function placesOf(picture: Picture, isOwnPage: boolean, t: Translate): Place[] {
  const several = new Set(picture.nodes.map(({ cluster }) => cluster)).size > 1;
  const pageOf = ({ entity, cluster }: { entity: string; cluster: string }): Page => ({
    kind: "entity",
    entity,
    cluster: several ? cluster : undefined,
  });
  const alerts = groupCauses(picture.alerts ?? []).flatMap(({ alert, consequences }) => [alert, ...consequences]);
  return [
    ...pages(isOwnPage, t),
    ...picture.nodes.map((node) => ({
      key: `${node.cluster} ${node.entity}`,
      kind: "node" as const,
      title: node.node,
      words: `${node.ip ?? ""} ${node.pveVersion ?? ""}`,
      detail: t(node.state),
      page: pageOf(node),
    })),
    ...picture.guests.map((guest) => ({
      key: `${guest.cluster} ${guest.entity}`,
      kind: "guest" as const,
      title: guestLabel(guest),
      words: `${guest.name} ${guest.node} ${guest.tags.join(" ")} ${guest.pool ?? ""}`,
      detail: [guest.node, ...guest.tags].join(" · "),
      page: pageOf(guest),
    })),
    ...picture.storages.map((storage) => ({
      key: `${storage.cluster} ${storage.entity}`,
      kind: "storage" as const,
      title: storageLabel(storage),
      words: `${storage.type} ${storage.node ?? ""} ${storage.content.join(" ")}`,
      detail: storage.type,
      page: pageOf(storage),
    })),
    ...alerts.map((alert) => ({
      key: alert.id,
      kind: "alert" as const,
      title: t(headlineOf(alert.text)[0]),
      words: `${alert.title} ${alert.text} ${alert.ruleName} ${alert.node ?? ""} ${alert.severity}`,
      detail: t(alert.severity),
      page: { kind: "section" as const, section: "alerts" as const, item: alert.id },
    })),
  ];
}

function pages(isOwnPage: boolean, t: Translate): Place[] {
  const own: readonly Section[] = isOwnPage ? ["browser"] : [];
  const sections: Section[] = [...menuSections, "policies", "reports", "agents", "screen", ...own];
  return [
    { key: "overview", kind: "page", title: t("Overview"), words: "", detail: "", page: { kind: "overview" } },
    ...sections.map((section): Place => {
      const page: Page = { kind: "section", section, item: "" };
      return { key: section, kind: "page", title: sectionName(section, t), words: section, detail: "", page };
    }),
  ];
}
