import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { cookieOfTicket, lookAtTicket, nameOfBytes, ticketOfCookies } from "../../../../agent/core/gateway/ticket.ts";
import { csrfTokenFits } from "../../../../agent/gateway/csrf.ts";
import { createUserApi } from "../../../../agent/pve/user-api.ts";

const issued = 0x6923f84c * 1000;
const signature = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ+/==";
/** As PVE's page stores the ticket of jörg@pve: JavaScript's `escape` leaves `@*_+-./` alone. */
const cookie = `PVEAuthCookie=PVE%3Aj%F6rg@pve%3A6923F84C%3A%3A${signature.replaceAll("=", "%3D")}`;
const ticket = ticketOfCookies(`other=1; ${cookie}; more=2`) ?? "";

test("the ticket of a user with an umlaut is read as Proxmox VE reads it, a byte for each %XX", () => {
  assert.equal(ticket, `PVE:j\u00F6rg@pve:6923F84C::${signature}`);
  assert.deepEqual(lookAtTicket(ticket, issued), { ok: true, user: "j\u00F6rg@pve", issuedAt: issued });
});

test("a ticket counts for two hours, and five minutes before its time where clocks differ, as in Proxmox VE", () => {
  const ages = [-300_000, -299_999, 0, 7_199_999, 7_200_000];
  const looks = ages.map((ms) => lookAtTicket(ticket, issued + ms));
  assert.deepEqual(
    looks.map((look) => (look.ok ? "ok" : look.why)),
    ["from-the-future", "ok", "ok", "ok", "expired"],
  );
});

test("a ticket without its second factor is none, nor is anything else that Proxmox VE does not sign", () => {
  const why = (text: string) => {
    const look = lookAtTicket(text, issued);
    return look.ok ? "ok" : look.why;
  };
  for (const start of ["PVE:tfa!x", "PVE:!tfa!x", "PVE:u2f!x"]) assert.equal(why(`${start}:6923F84C::${signature}`), "half-done");
  const wrong = ["", "PVE:root:6923F84C::", "PVE:root@pam:6923F84::", "PVE:root@pam:6923f84c::", "PVEX:root@pam:6923F84C::"];
  for (const start of wrong) assert.equal(why(`${start}${signature}`), "malformed", start);
  assert.equal(why("PVE:root@pam:6923F84C::short"), "malformed");
});

test("no cookie, an empty one and one that no browser would send are none", () => {
  for (const header of [undefined, "", "PVEAuthCookie=", "XPVEAuthCookie=a", `PVEAuthCookie=${"a".repeat(4097)}`]) {
    assert.equal(ticketOfCookies(header), undefined);
  }
  assert.equal(ticketOfCookies(`PVEAuthCookie=${"a".repeat(4096)}`)?.length, 4096);
});

test("Proxmox VE is asked with the very bytes that the browser sent, whatever they may mean", async (t) => {
  const heard: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    heard.push(request.headers.cookie);
    response.end('{"data":1}');
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const api = createUserApi(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => api.close());
  for (const bytes of ["j%F6rg", "j%C3%B6rg", "%00%FF%25"]) {
    await api.get(ticketOfCookies(`PVEAuthCookie=${bytes}`) ?? "", "/version");
  }
  assert.deepEqual(heard, ["PVEAuthCookie=j%F6rg", "PVEAuthCookie=j%C3%B6rg", "PVEAuthCookie=%00%FF%25"]);
  assert.equal(cookieOfTicket("a:\u0142"), "PVEAuthCookie=a%3A%u0142", "as the page's own escape");
});

test("a name is shown as it is read: from UTF-8 where its bytes are, else from Latin-1", () => {
  const names = ["root@pam", "j\u00F6rg@pve", "j\u00C3\u00B6rg@pve", "100%@pve"];
  assert.deepEqual(names.map(nameOfBytes), ["root@pam", "jörg@pve", "jörg@pve", "100%@pve"]);
});

test("the token against forged writes is reckoned with the name's bytes, as Perl's Digest::SHA does", () => {
  const fits = (user: string, encoding: "latin1" | "utf8") =>
    csrfTokenFits(
      "6923F84C:hzkndypUY2q4cuSCOzjCnb2rh69GHILIO5DRf4R5mwQ",
      Buffer.from(user, encoding),
      Buffer.from("key"),
      issued,
    );
  assert.equal(fits("jörg@pve", "latin1"), true);
  assert.equal(fits("jörg@pve", "utf8"), false);
});
