import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommand } from "../../agent/cli.ts";
import { ConfigError, parseConfig } from "../../agent/config.ts";
import { createLog } from "../../agent/log.ts";

test("an empty file is the default configuration", () => {
  assert.deepEqual(parseConfig(""), {
    root: "/",
    state: "/var/lib/proven-agent",
    pve: { api: "http://127.0.0.1:85" },
    commands: { path: "/usr/sbin:/usr/bin:/sbin:/bin" },
    gateway: { enabled: true, listen: "::", port: 8421, pve_port: 8006, panel: "/usr/share/proven/panel" },
    backups: { sha256: true, read_mib_per_sec: 100 },
    outlet: { journal: true, hooks: true, mail: "routed", hub_unreachable_sec: 300 },
    restore_test: {
      enabled: true,
      vmid_first: 990_000,
      vmid_last: 990_999,
      storages: [],
      memory_mib: 4096,
      reserve_mib: 2048,
      parallel: 1,
      keep_sec: 14_400,
    },
  });
});

test("a range of test guests that ends before it begins is told", () => {
  assert.throws(
    () => parseConfig("[restore_test]\nvmid_first = 500\nvmid_last = 400\n"),
    /vmid_first must not be above vmid_last/,
  );
});

const problems: [name: string, text: string, told: string[]][] = [
  ["a mistyped key", 'rot = "/x"', ['rot: unknown key, did you mean "root"?']],
  ["a key like none", "zzzzzzzz = 1", ["zzzzzzzz: unknown key"]],
  ["a mistyped key in a section", '[commands]\npaht = "/bin"', ['commands.paht: unknown key, did you mean "path"?']],
  ["a relative folder", 'state = "var"', ["state: must be an absolute path"]],
  ["a wrong type", "root = 1", ["root: Invalid input: expected string, received number"]],
  [
    "a hub by http and a short fingerprint",
    '[hub]\nurl = "http://hub"\nfingerprint = "AA:BB"',
    ["hub.url: must be wss://host:port/agent", "hub.fingerprint: must be the certificate's SHA-256, AA:BB:… (32 pairs)"],
  ],
];
for (const [name, text, told] of problems) {
  test(`${name} is told`, () => {
    assert.throws(
      () => parseConfig(text),
      (error) => error instanceof ConfigError && assert.deepEqual(error.message.split("\n"), told) === undefined,
    );
  });
}

test("what is no TOML is told with its place", () => {
  assert.throws(() => parseConfig("root = "), /not TOML: .*/);
});

test("command line: run, check, join and what is wrong", () => {
  const at = { configPath: "/etc/proven/agent.toml", configGiven: false };
  assert.deepEqual(parseCommand([]), { do: "run", ...at });
  assert.deepEqual(parseCommand(["--check", "--config", "x"]), { do: "check", configPath: "x", configGiven: true });
  assert.deepEqual(parseCommand(["join", "wss://h:1", "--token", "T", "--fingerprint", "F"]), {
    do: "join",
    ...at,
    url: "wss://h:1",
    token: "T",
    fingerprint: "F",
  });
  assert.deepEqual(parseCommand(["join", "wss://h:1"]), {
    do: "refuse",
    problem: "join needs the hub's address, --token and --fingerprint",
  });
  assert.deepEqual(parseCommand(["restore-test", "--guest", "100", "--dry-run"]), {
    do: "restore-test",
    ...at,
    test: { guest: 100, backup: undefined, storage: undefined, keepSec: 0, dryRun: true },
  });
  assert.equal(parseCommand(["restore-test"]).do, "refuse");
  assert.equal(parseCommand(["restore-test", "--guest", "100", "--keep", "soon"]).do, "refuse");
  assert.deepEqual(parseCommand(["leave"]), { do: "refuse", problem: "unknown command: leave" });
  assert.equal(parseCommand(["--chek"]).do, "refuse");
});

test("a log line can't be broken by what it says; the journal gets the level, a person the time", () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  createLog({ journal: true, write, now: () => 0 })(4, "first\nsecond", { path: "/a b", count: 2, odd: 'x="\n' });
  createLog({ journal: false, write, now: () => 0 })(6, "started");
  createLog({ journal: true, write, now: () => 0 })(7, "not shown");
  const name = "web\u001b[2J\u009b31m\r<0>gone\u202egnp.exe";
  createLog({ journal: true, write, now: () => 0 })(5, `${name}\n<2>forged`, { name });
  assert.equal(lines.pop(), '<5>web [2J 31m <0>gone gnp.exe; <2>forged name="web\\u001b[2J 31m\\r<0>gone gnp.exe"\n');
  assert.deepEqual(lines, ['<4>first; second path="/a b" count=2 odd="x=\\"\\n"\n', "1970-01-01T00:00:00.000Z info started\n"]);
});
