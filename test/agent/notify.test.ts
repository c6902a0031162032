import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createServiceManager } from "../../agent/notify.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const notifyExec = join(import.meta.dirname, "../../systemd/notify-exec");
const log = () => undefined;

/** Perl, because Node has no datagram sockets of this kind: prints the first message that comes. */
const receiver = `use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, pack_sockaddr_un($ARGV[0])) or die; print "bound\\n";
recv($s, my $text, 4096, 0); print "$text\\n";`;

const firstData = async (child: ChildProcess) => String((await once(child.stdout as NodeJS.EventEmitter, "data"))[0]).trim();

test("what a program writes to the descriptor that notify-exec left to it reaches systemd's socket, from the same process", {
  skip: existsSync("/usr/bin/perl") ? false : "needs perl",
}, async (t) => {
  const dir = temporaryDir(t);
  const socket = join(dir, "notify");
  const systemd = spawn("perl", ["-e", receiver, socket], { stdio: ["ignore", "pipe", "inherit"] });
  assert.equal(await firstData(systemd), "bound");
  const heard = firstData(systemd);
  const program =
    "require('fs').writeSync(Number(process.env.PROVEN_NOTIFY_FD), ['READY=1', process.pid, process.env.NOTIFY_SOCKET].join(' '))";
  const child = spawn(notifyExec, [process.execPath, "-e", program], { env: { NOTIFY_SOCKET: socket }, stdio: "inherit" });
  assert.equal(await heard, `READY=1 ${child.pid}`);
});

test("without systemd notify-exec only becomes the program", { skip: existsSync("/usr/bin/perl") ? false : "needs perl" }, () => {
  const { status, stdout } = spawnSync(notifyExec, ["sh", "-c", "echo $PROVEN_NOTIFY_FD.; exit 3"], {
    encoding: "utf8",
    env: {},
  });
  assert.deepEqual({ status, stdout }, { status: 3, stdout: ".\n" });
});

test("systemd is told once that the agent is ready, and that it lives no more often than a third of the watchdog's time", async () => {
  const told: string[] = [];
  let nowMs = 0;
  const service = createServiceManager(
    { PROVEN_NOTIFY_FD: "7", WATCHDOG_USEC: "180000000" },
    { log, monotonicMs: () => nowMs, write: (fd, text) => told.push(`${fd} ${text}`) },
  );
  await service.ready();
  for (const atMs of [10_000, 20_000, 69_999, 70_000, 80_000]) {
    nowMs = atMs;
    await service.alive();
  }
  await service.stopping();
  assert.deepEqual(told, ["7 READY=1", "7 WATCHDOG=1", "7 WATCHDOG=1", "7 STOPPING=1"]);
});

test("without a descriptor or a watchdog nothing is written, and a full socket is only logged", async () => {
  const told: string[] = [];
  const problems: unknown[] = [];
  const write = (fd: number, text: string) => told.push(`${fd} ${text}`);
  const silent = createServiceManager({}, { log, monotonicMs: () => 0, write });
  await silent.ready();
  const unwatched = createServiceManager({ PROVEN_NOTIFY_FD: "3" }, { log, monotonicMs: () => 0, write });
  await unwatched.alive();
  assert.deepEqual(told, []);
  const full = createServiceManager(
    { PROVEN_NOTIFY_FD: "3" },
    {
      log: (_level, _message, fields) => problems.push(fields?.problem),
      monotonicMs: () => 0,
      write: () => {
        throw new Error("EAGAIN");
      },
    },
  );
  await full.ready();
  assert.deepEqual(problems, ["EAGAIN"]);
});
