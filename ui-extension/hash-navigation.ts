import { formatRoute, home, parseRoute, type Route } from "./core/route.ts";
import { Observable } from "./observable.ts";
import type { Navigation } from "./panel.ts";

/** Navigation of the standalone panel: the place is in the URL's hash, so that it can be bookmarked and sent. */
export class HashNavigation implements Navigation {
  readonly start = home;
  readonly route = new Observable<Route>(parseRoute(location.hash));

  constructor() {
    window.addEventListener("popstate", () => this.route.set(parseRoute(location.hash)));
  }

  href(route: Route): string {
    return formatRoute(route);
  }

  go(route: Route, how: "push" | "replace"): void {
    const url = formatRoute(route);
    if (how === "push") history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    this.route.set(route);
    if (how === "push") window.scrollTo(0, 0);
  }
}
