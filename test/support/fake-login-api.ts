import type { Context, Hono } from "hono";
import type { LoginState, SignInRealms } from "#protocol/api.ts";

const challenge = "c".repeat(64);
const realms = [
  { realm: "pam", type: "pam", comment: "Linux PAM standard authentication", preselected: true },
  { realm: "pve", type: "pve", comment: "Proxmox VE authentication server", preselected: false },
];
const refusal = { error: { code: "unauthenticated", message: "Proxmox VE refused the user, password or code" } };

/**
 * The double's side of signing in with an account: carol@pve has the password `right`, root@pam a second factor whose code is 123456. Without
 * `accounts` no agent can ask Proxmox VE. `enter` sets the cookie and answers with the session.
 */
export function addLoginApi(app: Hono, accounts: boolean, enter: (c: Context) => LoginState): void {
  const clusters = accounts ? [{ cluster: "00000000000000aa", name: "lab", realms }] : [];
  app.get("/api/v1/session/realms", (c) => c.json({ clusters } satisfies SignInRealms));
  app.post("/api/v1/session/login", async (c) => {
    const { user, realm, password } = (await c.req.json()) as Record<string, string>;
    if (password !== "right") return c.json(refusal, 401);
    if (`${user}@${realm}` !== "root@pam") return c.json(enter(c));
    return c.json({ state: "tfa-needed", challenge, kinds: ["totp", "recovery"] } satisfies LoginState);
  });
  app.post("/api/v1/session/login/answer", async (c) => {
    const body = (await c.req.json()) as Record<string, string>;
    const fits = body.challenge === challenge && body.kind === "totp" && body.code === "123456";
    return fits ? c.json(enter(c)) : c.json(refusal, 401);
  });
}
