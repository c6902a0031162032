import type { Access } from "../api.ts";
import type { Host } from "./page.ts";

/** PVE's cookie goes along; a write carries PVE's own token and a header that makes the browser ask the gateway first. */
export const accessOf = (host: Host): Access => ({
  credentials: "include",
  writeHeaders: () => ({ CSRFPreventionToken: host.csrf(), "proven-request": "1" }),
});
