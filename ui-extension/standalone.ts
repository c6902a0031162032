import { ownOrigin } from "./api.ts";
import { countAlerts } from "./core/alerts.ts";
import { keyInHash } from "./core/route.ts";
import { pageTitle } from "./core/title.ts";
import "./elements/proven-app.ts";
import { HashNavigation } from "./hash-navigation.ts";
import { language, preferredLanguage, t } from "./i18n.ts";
import { LastStateKeeper } from "./last-state.ts";
import { Panel } from "./panel.ts";
import { BrowserApp } from "./push.ts";
import { ThemeWatch } from "./theme.ts";
import type { ThemeChoice } from "./theme-choice.ts";

/** The panel as a page of its own, served by the hub. */
const key = keyInHash(location.hash);
// The key must not stay in the address bar or the history: whoever looks over the shoulder, or syncs the history, would have it.
if (key !== undefined) history.replaceState(null, "", `${location.pathname}${location.search}#/`);

const saved = (name: string) => localStorage.getItem(`proven-${name}`);
const isChoice = (value: string | null): value is ThemeChoice => value === "light" || value === "dark" || value === "auto";

language.set(preferredLanguage(saved("language"), document.cookie, navigator.language));
const savedTheme = saved("theme");
const themes = new ThemeWatch(isChoice(savedTheme) ? savedTheme : "auto");
themes.choice.subscribe(() => localStorage.setItem("proven-theme", themes.choice.value));
language.subscribe(() => {
  localStorage.setItem("proven-language", language.value);
  document.documentElement.lang = language.value;
});
document.documentElement.lang = language.value;
const showTheme = () => {
  document.documentElement.dataset.theme = themes.theme.value;
};
themes.theme.subscribe(showTheme);
themes.start();
showTheme();

const panel = new Panel("", new HashNavigation(), ownOrigin, new LastStateKeeper());
const browserApp = new BrowserApp(panel.api);
panel.app = browserApp;
const showTitle = () => {
  const signedIn = panel.session.value.state === "signed-in";
  const { picture } = panel.store;
  const { open } = countAlerts(picture.value.alerts ?? []);
  const title = signedIn ? pageTitle(panel.navigation.route.value.page, picture.value, open, t) : "Proven";
  if (title !== document.title) document.title = title;
};
for (const one of [panel.navigation.route, panel.store.picture, panel.session, language]) one.subscribe(showTitle);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") panel.keepState();
});
const app = document.createElement("proven-app");
Object.assign(app, { panel, themes });
document.body.append(app);
void panel.start(key);
void browserApp.start();
