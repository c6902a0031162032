import { isRange, type Range } from "./range.ts";

/** What a page is about. `cluster` only where the hub knows several. */
export type Page =
  | { kind: "overview" }
  | { kind: "entity"; entity: string; cluster: string | undefined }
  | { kind: "section"; section: Section; item: string };

/** Pages of their own. `item`: what of it, such as a rule's id; empty: all. */
export const sections = [
  "guests",
  "proofs",
  "policies",
  "reports",
  "alerts",
  "rules",
  "silences",
  "routes",
  "events",
  "agents",
  "browser",
  "screen",
] as const;
export type Section = (typeof sections)[number];
/** Those that are named in the header; the others have a button there, or are a part of one. */
export const menuSections = [
  "guests",
  "proofs",
  "alerts",
  "rules",
  "silences",
  "routes",
  "events",
] as const satisfies readonly Section[];
/** Parts of restore proof: one name in the header, tabs on the pages. */
export const proofSections = ["proofs", "policies", "reports"] as const satisfies readonly Section[];
/** What the header marks as where one is. */
export const menuSectionOf = (section: Section): Section => (proofSections.some((one) => one === section) ? "proofs" : section);
const isSection = (name: string): name is Section => (sections as readonly string[]).includes(name);

/** A place in the panel: everything a link or a bookmark holds. */
export type Route = {
  page: Page;
  range: Range;
  filter: string;
  /** Column the guest list is sorted by, with `-` in front from the top down; absent: by number. */
  sort?: string;
};

/** Route to a section, or to one item of it. */
export const sectionRoute = (section: Section, item = "", filter = ""): Route => ({
  page: { kind: "section", section, item },
  range: home.range,
  filter,
});

export const home: Route = { page: { kind: "overview" }, range: "1h", filter: "" };

const entityPattern =
  /^(node\/[^/]+|guest\/[0-9]+|storage\/[^/]+(\/[^/]+)?|zpool\/[^/]+\/[^/]+|thinpool\/[^/]+\/[^/]+\/[^/]+|datastore\/[0-9a-f]{16}\/[^/]+)$/;

/** Whether an entity, as alerts and events name it, has a page of its own. */
export const hasPage = (entity: string): boolean => entityPattern.test(entity);

/** Reads a URL's hash, `#/guest/105?range=24h`. What it doesn't understand falls back to the overview: a bad link is no error page. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parameters = new Map(query.split("&").map((pair) => pairOf(pair)));
  const range = parameters.get("range");
  return {
    page: pageOf(path, parameters.get("cluster")),
    range: range !== undefined && isRange(range) ? range : home.range,
    filter: parameters.get("filter") ?? "",
    ...(/^-?[a-z]{1,20}$/.test(parameters.get("sort") ?? "") ? { sort: parameters.get("sort") ?? "" } : {}),
  };
}

function pageOf(path: string, cluster: string | undefined): Page {
  const [section = "", item = ""] = path.split("/", 2);
  if (isSection(section)) return { kind: "section", section, item: decode(item) };
  const entity = decode(path);
  return entityPattern.test(entity) ? { kind: "entity", entity, cluster } : { kind: "overview" };
}

function pairOf(pair: string): [string, string] {
  const [name = "", value = ""] = pair.split("=", 2);
  return [decode(name), decode(value)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The hash of a route; what is default is left out. */
export function formatRoute({ page, range, filter, sort }: Route): string {
  const path = pathOf(page);
  const query = [
    page.kind === "entity" && page.cluster !== undefined ? `cluster=${encodeURIComponent(page.cluster)}` : "",
    range === home.range ? "" : `range=${range}`,
    filter === "" ? "" : `filter=${encodeURIComponent(filter)}`,
    sort === undefined ? "" : `sort=${encodeURIComponent(sort)}`,
  ].filter((part) => part !== "");
  return `#/${path}${query.length > 0 ? `?${query.join("&")}` : ""}`;
}

function pathOf(page: Page): string {
  if (page.kind === "overview") return "";
  if (page.kind === "section") return page.item === "" ? page.section : `${page.section}/${encodeURIComponent(page.item)}`;
  return page.entity.split("/").map(encodeURIComponent).join("/");
}

/** Takes the API key out of `#key=pvn_…`, as `npm start` prints it. Undefined: there is none. */
export function keyInHash(hash: string): string | undefined {
  return /^#\/?key=(pvn_[A-Za-z0-9_-]+)$/.exec(hash)?.[1];
}
