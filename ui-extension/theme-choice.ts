export type ThemeChoice = "auto" | "light" | "dark";
export type Theme = "light" | "dark";

/**
 * Which theme the page shows: the user's own choice, else PVE's (its dark sheet sets `--pwt-panel-background`; standalone on a PVE node its
 * cookie is seen), else the system's.
 */
export function themeOf(choice: ThemeChoice, page: { panelBackground: string; cookie: string; systemDark: boolean }): Theme {
  if (choice !== "auto") return choice;
  if (page.panelBackground.trim() !== "") return "dark";
  const cookie = /(?:^|;\s*)PVEThemeCookie=([a-z_-]+)/.exec(page.cookie)?.[1];
  if (cookie === "proxmox-dark") return "dark";
  if (cookie === "crisp") return "light";
  return page.systemDark ? "dark" : "light";
}
