import assert from "node:assert/strict";
import { test } from "node:test";
import { callLab, startTestLab } from "../support/lab-client.ts";
import { signTicket } from "./secrets.ts";

/** As recorded from pvedaemon of PVE 9.2.11. */
const refusals: [
  what: string,
  method: string,
  path: string,
  params: Record<string, string>,
  status: number,
  reason: string,
  errors?: unknown,
][] = [
  ["an unknown path", "GET", "/no/such", {}, 501, "Method 'GET /no/such' not implemented"],
  ["an unknown method of a path", "POST", "/version", {}, 501, "Method 'POST /version' not implemented"],
  [
    "an unknown guest",
    "GET",
    "/nodes/pve1/qemu/777/config",
    {},
    500,
    "Configuration file 'nodes/pve1/qemu-server/777.conf' does not exist",
  ],
  [
    "a container asked as a VM",
    "GET",
    "/nodes/pve1/qemu/103/config",
    {},
    500,
    "Configuration file 'nodes/pve1/qemu-server/103.conf' does not exist",
  ],
  ["another node", "GET", "/nodes/pve2/status", {}, 500, "proxy not allowed"],
  [
    "a node that does not exist",
    "GET",
    "/nodes/pveX/status",
    {},
    500,
    "hostname lookup 'pveX' failed - failed to get address info for: pveX: Temporary failure in name resolution",
  ],
  ["an unknown storage", "GET", "/nodes/pve1/storage/nosuch/content", {}, 500, "storage 'nosuch' does not exist"],
  [
    "an unknown parameter",
    "POST",
    "/nodes/pve1/qemu/100/status/start",
    { foo: "1" },
    400,
    "Parameter verification failed.",
    { foo: "property is not defined in schema and the schema does not allow additional properties" },
  ],
  [
    "a value outside its enumeration",
    "GET",
    "/nodes/pve1/tasks",
    { source: "eon" },
    400,
    "Parameter verification failed.",
    { source: "value 'eon' does not have a value in the enumeration 'archive, active, all'" },
  ],
  [
    "a bad VM id",
    "GET",
    "/nodes/pve1/qemu/99/config",
    {},
    400,
    "Parameter verification failed.",
    { vmid: "invalid format - value does not look like a valid VM ID\n" },
  ],
  [
    "a bad UPID",
    "GET",
    "/nodes/pve1/tasks/NOTAUPID/status",
    {},
    400,
    "Parameter verification failed.",
    { upid: "unable to parse worker upid" },
  ],
];

test("errors are worded as recorded: reason phrase, message with a newline, errors by parameter", async (context) => {
  const { lab } = await startTestLab(context);
  for (const [what, method, path, params, status, reason, errors] of refusals) {
    const answer = await callLab(lab, "pve1", method, path, { params });
    assert.deepEqual([answer.status, answer.reason], [status, reason], what);
    assert.deepEqual(answer.errors, errors, what);
    const { message, data } = JSON.parse(answer.text) as { message: string; data: unknown };
    assert.equal(message, status === 501 ? reason : `${reason}\n`, what);
    assert.equal(data, null, what);
  }
  assert.equal(lab.misuses.length, 6, "what PVE would not have understood is kept for the test that caused it");
});

test("a parameter given twice is an array to PVE", async (context) => {
  const { lab } = await startTestLab(context);
  const { errors } = await callLab(lab, "pve1", "GET", "/nodes/pve1/tasks?limit=1&limit=2");
  assert.deepEqual(errors, { limit: "type check ('integer') failed - got ARRAY" });
});

test("without a good ticket 401 with an empty body, three seconds of lab time later", async (context) => {
  const { lab, clock } = await startTestLab(context, { refusalDelayMs: 3000 });
  const good = lab.ticket("root@pam");
  const cases: [what: string, ticket: string | null, reason: string][] = [
    ["no ticket", null, "No ticket"],
    ["too old", signTicket(lab.secrets, "root@pam", clock.now() - 7_201_000), "Authentication failed!"],
    ["from the future", signTicket(lab.secrets, "root@pam", clock.now() + 330_000), "Authentication failed!"],
    ["lower case time", good.replace(/:[0-9A-F]{8}::/, (stamp) => stamp.toLowerCase()), "Authentication failed!"],
    ["another's name on it", good.replace("root@pam", "alice@pve"), "Authentication failed!"],
    ["a disabled user", lab.ticket("dora@pve"), "Authentication failed!"],
    ["half a login", lab.ticket("!tfa!root@pam"), "Authentication failed!"],
  ];
  for (const [what, ticket, reason] of cases) {
    const pending = callLab(lab, "pve1", "GET", "/version", { ticket });
    // The lab's own schedule sleeps, and then the refusal.
    while (clock.sleeping < 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(3000);
    const answer = await pending;
    assert.deepEqual([answer.status, answer.reason, answer.text], [401, reason, ""], what);
  }
  assert.equal((await callLab(lab, "pve1", "GET", "/version")).status, 200);
});

test("users see what PVE would show them", async (context) => {
  const { lab } = await startTestLab(context);
  const ids = async (user: string) =>
    ((await callLab(lab, "pve1", "GET", "/cluster/resources", { user })).data as { id: string; type: string }[]).map(
      ({ id }) => id,
    );
  const guests = (list: string[]) => list.filter((id) => /^(qemu|lxc)\//.test(id)).length;
  assert.equal(guests(await ids("root@pam")), 40);
  assert.equal(guests(await ids("alice@pve")), 40);
  assert.deepEqual(await ids("bob@pve"), ["qemu/100", "node/pve1", "node/pve2", "node/pve3"]);
  const carol = await ids("carol@pve");
  assert.equal(guests(carol), 39, "NoAccess on one guest");
  assert.ok(!carol.includes("qemu/101"));
});

test("permissions list paths where something is granted, the number is the propagate flag", async (context) => {
  const { lab } = await startTestLab(context);
  const of = async (user: string, params: Record<string, string> = {}) =>
    (await callLab(lab, "pve1", "GET", "/access/permissions", { user, params })).data as Record<string, Record<string, number>>;
  assert.deepEqual(Object.keys(await of("bob@pve")), ["/vms/100"]);
  assert.equal((await of("bob@pve"))["/vms/100"]?.["VM.PowerMgmt"], 1);
  assert.deepEqual(await of("carol@pve", { path: "/vms/101" }), { "/vms/101": {} });
  assert.ok(!Object.hasOwn(await of("carol@pve"), "/vms/101"));
});

test("who may not is refused with the path and the privileges that are missing", async (context) => {
  const { lab } = await startTestLab(context);
  const cases: [method: string, path: string, user: string, params: Record<string, string>, reason: string][] = [
    ["GET", "/nodes/pve1/status", "bob@pve", {}, "Permission check failed (/nodes/pve1, Sys.Audit)"],
    ["GET", "/nodes/pve1/qemu/106/config", "bob@pve", {}, "Permission check failed (/vms/106, VM.Audit)"],
    [
      "GET",
      "/nodes/pve1/storage/nfs1/content",
      "bob@pve",
      {},
      "Permission check failed (/storage/nfs1, Datastore.Audit|Datastore.AllocateSpace)",
    ],
    [
      "POST",
      "/nodes/pve1/vzdump",
      "bob@pve",
      { vmid: "100", storage: "nfs1" },
      "Permission check failed (/storage/nfs1, Datastore.AllocateSpace)",
    ],
    ["POST", "/nodes/pve1/qemu/100/status/stop", "alice@pve", {}, "Permission check failed (/vms/100, VM.PowerMgmt)"],
  ];
  for (const [method, path, user, params, reason] of cases) {
    const answer = await callLab(lab, "pve1", method, path, { user, params });
    assert.deepEqual([answer.status, answer.reason], [403, reason]);
  }
});

test("an auditor sees images and no backups, without an error", async (context) => {
  const { lab } = await startTestLab(context);
  const content = async (user: string) =>
    (await callLab(lab, "pve1", "GET", "/nodes/pve1/storage/nfs1/content", { user, params: { content: "backup" } }))
      .data as unknown[];
  assert.deepEqual(await content("alice@pve"), []);
  assert.ok((await content("root@pam")).length > 100);
});

test("status and configuration have the types that were recorded", async (context) => {
  const { lab } = await startTestLab(context);
  const get = async (path: string) => (await callLab(lab, "pve1", "GET", `/nodes/pve1/${path}`)).data as Record<string, unknown>;
  const [vm, container] = [await get("qemu/100/config"), await get("lxc/103/config")];
  assert.deepEqual(
    [typeof vm.memory, typeof vm.cores, typeof container.memory, typeof container.onboot],
    ["string", "number", "number", "number"],
  );
  assert.match(String(vm.digest), /^[0-9a-f]{40}$/);
  const [running, ct] = [await get("qemu/100/status/current"), await get("lxc/103/status/current")];
  assert.deepEqual(
    [running.status, running.qmpstatus, running.agent, typeof running.pressureiosome],
    ["running", "running", 1, "number"],
  );
  assert.equal(typeof ct.pressureiosome, "string");
  const node = await get("status");
  assert.ok((node.loadavg as unknown[]).every((load) => typeof load === "string"));
});

test("the guest agent answers, or refuses in PVE's words", async (context) => {
  const { lab } = await startTestLab(context);
  const ping = async (vmid: number) => {
    const { home } = lab.world.guest(vmid) ?? { home: "" };
    const pending = callLab(lab, home, "POST", `/nodes/${home}/qemu/${vmid}/agent/ping`);
    return (await pending).reason;
  };
  assert.equal(await ping(100), "OK");
  assert.equal(await ping(105), "VM 105 is not running");
  assert.equal(await ping(130), "No QEMU guest agent configured");
});
