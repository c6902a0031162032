import assert from "node:assert/strict";
import { test } from "node:test";
import { pveScopes } from "../../../hub/http/pve-user.ts";

const sightWith = (path: string, ...names: string[]) => ({ privileges: new Map([[path, new Set(names)]]) });

test("who may only back up a guest is offered the buttons too: testing its backup takes no more of the guest", () => {
  assert.deepEqual(pveScopes(sightWith("/vms/100", "VM.Audit", "VM.Backup")), ["read", "write"]);
  assert.deepEqual(pveScopes(sightWith("/vms/100", "VM.PowerMgmt")), ["read", "write"]);
  assert.deepEqual(pveScopes(sightWith("/", "VM.Audit", "Sys.Audit")), ["read"]);
  assert.deepEqual(pveScopes(sightWith("/", "Sys.Modify", "Permissions.Modify")), ["read", "write", "admin"]);
});
