import { routeOfSelected } from "../core/selected-page.ts";
import "../elements/proven-app.ts";
import { language, preferredLanguage } from "../i18n.ts";
import { Panel } from "../panel.ts";
import { PveActions } from "../pve-actions.ts";
import { ThemeWatch } from "../theme.ts";
import { accessOf } from "./access.ts";
import { HostNavigation } from "./navigation.ts";
import type { Host, PanelModule } from "./page.ts";

/** The panel in a tab of Proxmox VE's page. The tab's element and everything in it goes when another one is chosen: nothing may stay behind. */
export const mount: PanelModule["mount"] = (element, host, selected) => {
  const panel = new Panel(host.gateway, new HostNavigation(routeOfSelected(selected)), accessOf(host));
  panel.pveOrigin = location.origin;
  panel.pve = new PveActions(host.csrf);
  const themes = new ThemeWatch("auto");
  const stops = [followTheme(themes), followLanguage(host), followUser(panel, host)];
  const app = document.createElement("proven-app");
  app.className = "embedded";
  Object.assign(app, { panel, themes, embedded: true });
  element.append(app);
  void panel.start();
  return () => {
    for (const stop of stops) stop();
    panel.stop();
    app.remove();
  };
};

/** PVE's theme is a style sheet of the page; auto is its `media`. */
function followTheme(themes: ThemeWatch): () => void {
  const readAgain = () => themes.choose("auto");
  const sheets = new MutationObserver(readAgain);
  sheets.observe(document.head, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["media", "href", "disabled"],
  });
  document.head.addEventListener("load", readAgain, true);
  themes.start();
  return () => {
    sheets.disconnect();
    document.head.removeEventListener("load", readAgain, true);
    themes.stop();
  };
}

/** PVE's language is a cookie. Browsers that don't tell of cookies follow with the next look at the tab: PVE loads the page anew anyway. */
function followLanguage(host: Host): () => void {
  const read = () => language.set(preferredLanguage(null, document.cookie, host.language));
  read();
  if (!("cookieStore" in window)) return () => {};
  cookieStore.addEventListener("change", read);
  return () => cookieStore.removeEventListener("change", read);
}

/**
 * Somebody signed out of PVE, or somebody else in: what is shown is not his. The page stays loaded then, so nobody else would notice. Whoever
 * signs in again after his ticket has ended, gets a new token.
 */
function followUser(panel: Panel, host: Host): () => void {
  let [user, token] = [host.user(), host.csrf()];
  return panel.now.subscribe(() => {
    const changed = host.user() !== user;
    const renewed = host.csrf() !== token;
    [user, token] = [host.user(), host.csrf()];
    if (changed) panel.end();
    const signedOut = panel.session.value.state === "signed-out";
    if (signedOut && user !== undefined && (changed || renewed)) void panel.start();
  });
}
