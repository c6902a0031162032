import { createHmac } from "node:crypto";
import { ApiError, type Call, type Handler } from "./api.ts";
import type { Permissions } from "./permissions.ts";
import { type Secrets, signTicket, verifiedUser } from "./secrets.ts";

/** Passwords of the lab's users, `<name>-lab`; carol has a second factor as well. */
export const passwordOf = (user: string) => `${user.split("@")[0]}-lab`;
export const carolsCode = "314159";

const withoutPadding = (text: string) => text.replace(/=+$/, "");

/** pve-access-control PVE/AccessControl.pm assemble_csrf_prevention_token. `at`: ms. */
export function csrfToken(secrets: Secrets, user: string, at: number): string {
  const stamp = Math.floor(at / 1000)
    .toString(16)
    .toUpperCase()
    .padStart(8, "0");
  const secret = withoutPadding(createHmac("sha256", secrets.wwwKey).update("").digest("base64"));
  return `${stamp}:${withoutPadding(createHmac("sha256", secret).update(`${stamp}:${user}`).digest("base64"))}`;
}

type Context = {
  secrets: Secrets;
  permissions: Permissions;
  now(): number;
  wait(ms: number): Promise<void>;
  refusalDelayMs: number;
};

/** `POST /access/ticket` and `GET /access/domains` (pve-access-control PVE/API2/AccessControl.pm create_ticket, PVE/API2/Domains.pm). */
export function signInHandlers(context: Context): Record<string, Handler> {
  const { secrets, permissions, now } = context;

  async function refuse(): Promise<never> {
    if (context.refusalDelayMs > 0) await context.wait(context.refusalDelayMs);
    throw new ApiError(401, "authentication failure");
  }

  const full = (user: string) => ({
    username: user,
    ticket: signTicket(secrets, user, now()),
    CSRFPreventionToken: csrfToken(secrets, user, now()),
    clustername: "lab",
    cap: { access: {}, dc: {}, mapping: {}, nodes: {}, sdn: {}, storage: {}, vms: {} },
  });

  async function createTicket({ params }: Call): Promise<unknown> {
    const { username, realm, password } = params as Record<string, string>;
    const user = realm === undefined ? String(username) : `${username}@${realm}`;
    const challenge = params["tfa-challenge"];
    if (!permissions.has(user)) return refuse();
    if (challenge !== undefined) {
      const challenged = verifiedUser(secrets, String(challenge), now(), user);
      const ok = challenged?.startsWith("!tfa!") === true && user === "carol@pve" && password === `totp:${carolsCode}`;
      return ok ? full(user) : refuse();
    }
    if (verifiedUser(secrets, String(password), now()) === user) return full(user);
    if (password !== passwordOf(user)) return refuse();
    if (user !== "carol@pve") return full(user);
    const asked = `!tfa!${encodeURIComponent(JSON.stringify({ totp: true, recovery: [] }))}`;
    return {
      username: user,
      ticket: signTicket(secrets, asked, now(), user),
      CSRFPreventionToken: csrfToken(secrets, user, now()),
      NeedTFA: 1,
    };
  }

  return {
    createTicket,
    domains: () => [
      { realm: "pam", type: "pam", comment: "Linux PAM standard authentication" },
      { realm: "pve", type: "pve", comment: "Proxmox VE authentication server", default: 1 },
    ],
  };
}
