import type { Route } from "../core/route.ts";
import { Observable } from "../observable.ts";
import type { Navigation } from "../panel.ts";

/** Navigation inside Proxmox VE's page: the address is PVE's, so the place is kept here as long as the tab is open. */
export class HostNavigation implements Navigation {
  readonly route: Observable<Route>;

  constructor(readonly start: Route) {
    this.route = new Observable(start);
  }

  href(): undefined {
    return undefined;
  }

  go(route: Route): void {
    this.route.set(route);
  }
}
