import assert from "node:assert/strict";
import { test } from "node:test";
import { seesAll } from "../../../agent/core/whole-sight.ts";

const nowSec = 1_800_000_000;
const user = "anna@pve";
const auditor = { "Sys.Audit": 1, "VM.Audit": 1, "Datastore.Audit": 1, "Pool.Audit": 1 };
/** Of a user with the role PVEAuditor on `/`, as `GET /access/permissions` lists it. */
const everywhere = Object.fromEntries(
  ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"].map((path) => [path, auditor]),
);
const users = [
  { userid: "root@pam", enable: 1 },
  { userid: user, enable: 1, expire: 0 },
];
const acl = [{ path: "/", type: "user", ugid: user, roleid: "PVEAuditor", propagate: 1 }];

const sees = (given: { users?: unknown; permissions?: unknown; acl?: unknown }) =>
  seesAll(user, { users, permissions: everywhere, acl, ...given }, nowSec);
const entry = (path: string, roleid = "NoAccess") => ({ path, type: "user", ugid: user, roleid, propagate: 1 });

const cases: [name: string, given: Parameters<typeof sees>[0], whole: boolean | undefined][] = [
  ["an auditor of everything sees everything", {}, true],
  ["a user who is gone sees nothing", { users: users.slice(0, 1) }, false],
  ["a disabled user sees nothing", { users: [{ userid: user, enable: 0 }] }, false],
  ["an account that has expired sees nothing", { users: [{ userid: user, enable: 1, expire: nowSec - 1 }] }, false],
  ["one that will expire does", { users: [{ userid: user, enable: 1, expire: nowSec + 1 }] }, true],
  ["without rights nothing is seen", { permissions: {} }, false],
  ["a right on / that isn't passed on shows no guest", { permissions: { ...everywhere, "/vms": { "VM.Audit": 0 } } }, false],
  ["NoAccess on a guest hides it: its path isn't listed", { acl: [...acl, entry("/vms/100")] }, false],
  [
    "somebody else's NoAccess hides nothing",
    { acl: [...acl, entry("/vms/100")], permissions: { ...everywhere, "/vms/100": auditor } },
    true,
  ],
  [
    "another role on a node may lack the right",
    { acl: [...acl, entry("/nodes/pve1", "PVEVMUser")], permissions: { ...everywhere, "/nodes/pve1": { "VM.Console": 1 } } },
    false,
  ],
  ["NoAccess on a pool hides its members", { acl: [...acl, entry("/pool/secret")] }, false],
  [
    "a role of one's own on a pool that is listed hides nothing of its members",
    { acl: [...acl, entry("/pool/shop", "PVEAuditor")], permissions: { ...everywhere, "/pool/shop": auditor } },
    true,
  ],
  [
    "an auditor of guests, nodes and storages who is none of the cluster",
    { permissions: { ...everywhere, "/": { "VM.Audit": 1 } } },
    false,
  ],
  [
    "an auditor of the cluster who sees no storage",
    { permissions: { ...everywhere, "/storage": { "Sys.Audit": 1, "VM.Audit": 1 } } },
    false,
  ],
  ["what else there is in the tree hides nothing of ours", { acl: [...acl, entry("/sdn/zones/a"), entry("/mapping/usb")] }, true],
  ["an answer that is none is no answer", { acl: undefined }, undefined],
  ["nor is one of another shape", { users: { userid: user } }, undefined],
];
for (const [name, given, whole] of cases) test(`seesAll: ${name}`, () => assert.equal(sees(given), whole));
