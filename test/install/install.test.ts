import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildDebs } from "../../scripts/package/deb.ts";
import { packageFiles } from "../../scripts/package/files.ts";
import { pveTemplate } from "../support/template-file.ts";
import { Cluster, managerPackage, type Node, nodes, until } from "./cluster.ts";
import { starve } from "./container.ts";
import { joinByToken, pssMib, remountClusterFiles } from "./joining.ts";
import { hangs, packRepository, sandboxSteps, trap, upgradeFromRepository, writing } from "./node-scripts.ts";
import { hostProblem, trixieTar } from "./rootfs.ts";
import { goBack, removeCopies, saveHub } from "./saving.ts";
import { changeUnit, guestsFirst, journalOf, stepsOfUnit } from "./units.ts";

/** A sample is due every 10 s: a longer gap has lost one. */
const maxGapMs = 19_000;

type Health = { status: string; version: string; agents: { connected: number }; newestSampleAgeMs: number | null };

const impossible = hostProblem();
const rootfs = impossible === undefined ? trixieTar() : { ok: false as const, problem: impossible };
const skip = rootfs.ok ? false : rootfs.problem;

/** Paths that installing anything changes, or that Debian's own services write: dpkg's, apt's, the journal's, systemd's, logs'. */
const noise =
  /^\/(var\/lib\/(dpkg|apt|systemd|dbus|private)|var\/(cache|log|tmp)|tmp|root|etc\/\.pwd\.lock|etc\/(passwd|group|shadow|gshadow)-?)(\/|$)/;

describe("Debian packages on three booted nodes of a cluster", { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), "proven-debs-"));
  let cluster: Cluster;
  let packages: Record<"old" | "new", string[]>;
  let filesBefore: string[];
  let joinedAt = 0;

  before(async () => {
    const files = join(dir, "files");
    await packageFiles(files);
    const old = await buildDebs({ out: join(dir, "old"), files, version: "0.0.9~test" });
    packages = { old, new: await buildDebs({ out: join(dir, "new"), files }) };
    const managers = [
      managerPackage(dir, "9.2.11"),
      managerPackage(dir, "9.2.12", pveTemplate.replace("<title>", "<title>new ")),
    ];
    const repository = packRepository(dir, packages.new);
    cluster = await Cluster.start(rootfs.ok ? rootfs.path : "", [...old, ...packages.new, ...managers, repository]);
    filesBefore = await listFiles("pve1");
  });

  after(async () => {
    await cluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const listFiles = async (node: Node) =>
    (await cluster.on(node).run("find", "/", "-xdev", "-not", "-path", "/debs*", "-printf", "%p %m %U\\n"))
      .split("\n")
      .filter((line) => line !== "" && !noise.test(line.split(" ")[0] ?? ""))
      .sort();

  const install = (node: Node, ...debs: string[]) =>
    cluster
      .on(node)
      .run("apt-get", "install", "-q", "-y", "--no-install-recommends", ...debs.map((deb) => `/debs/${basename(deb)}`));
  const named = (which: "old" | "new", ...names: string[]) =>
    packages[which].filter((path) => names.some((name) => basename(path).startsWith(`${name}_`)));
  const connected = (count: number, withinMs: number) =>
    until(
      `${count} agents connected`,
      () => cluster.call<Health>("GET", "health"),
      ({ agents }) => agents.connected === count,
      withinMs,
    );
  const page = (node: Node) => cluster.on(node).run("cat", "/usr/share/pve-manager/index.html.tpl");
  const flowing = (node: Node, from: number, withinMs: number) =>
    until(
      `samples of ${node}`,
      () => cluster.samplesOf(node, from),
      (at) => at.length > 0,
      withinMs,
    );

  /** Longest time between two samples of a node since all had joined, ms. */
  const longestGap = async (node: Node) => {
    const at = await cluster.samplesOf(node, joinedAt);
    return Math.max(...at.map((time, index) => time - (at[index - 1] ?? time)));
  };

  const assertHealthyUnits = async (node: Node, units: readonly string[]) => {
    assert.equal((await cluster.on(node).try("systemctl", "--failed", "--no-legend")).stdout.trim(), "");
    for (const unit of units) {
      const shown = await cluster.on(node).run("systemctl", "show", "--property=ActiveState,SubState,NRestarts,Type", unit);
      assert.deepEqual(
        shown.trim().split("\n").sort(),
        ["ActiveState=active", "NRestarts=0", "SubState=running", "Type=notify"],
        unit,
      );
    }
  };

  test("hub and agents are installed within 60 s, and the agents join by themselves", async () => {
    const startedAt = Date.now();
    await install("pve1", "pve-manager-9.2.11.deb", ...packages.old);
    const tookMs = Date.now() - startedAt;
    assert.ok(tookMs < 60_000, `${tookMs} ms`);
    await Promise.all([install("pve2", ...named("old", "proven-agent")), install("pve3", ...named("old", "proven-agent"))]);
    const installedAt = Date.now();
    await cluster.openHub();
    await connected(3, 60_000);
    for (const node of nodes) await flowing(node, startedAt, 60_000);
    joinedAt = Date.now();
    assert.ok(joinedAt - installedAt < 60_000, `${joinedAt - installedAt} ms until samples of all nodes were there`);
    console.log(`# installed in ${tookMs} ms, samples of all nodes ${joinedAt - installedAt} ms later`);
  });

  test("every unit runs as systemd wants it, and is exposed no more than promised", async () => {
    await assertHealthyUnits("pve1", ["proven-agent", "proven-hub"]);
    await assertHealthyUnits("pve2", ["proven-agent"]);
    const exposure = async (unit: string) => {
      const { stdout } = await cluster.on("pve1").try("systemd-analyze", "security", "--no-pager", unit);
      return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    };
    const [hub, agent] = [await exposure("proven-hub.service"), await exposure("proven-agent.service")];
    console.log(`# exposure: hub ${hub}, agent ${agent}`);
    assert.ok(hub <= 3.0, `hub: ${hub}`);
    assert.ok(agent <= 6.0, `agent: ${agent}`);
  });

  test("guests win: processor, disk and memory are theirs first, as the kernel has it", async () => {
    const weights = await guestsFirst(cluster.on("pve1"));
    assert.deepEqual(weights, { agent: ["20", "20", "128 MiB", "500", "7"], hub: ["50", "50", "1024 MiB", "300", "6"] });
  });

  test("the hub's memory is jemalloc's, which gives it back, and the agent's the system's own", async () => {
    const hasJemalloc = async (unit: string) => {
      const pid = (await cluster.on("pve1").run("systemctl", "show", "--value", "--property=MainPID", unit)).trim();
      return (await cluster.on("pve1").run("cat", `/proc/${pid}/maps`)).includes("/libjemalloc.so.2");
    };
    assert.deepEqual([await hasJemalloc("proven-hub"), await hasJemalloc("proven-agent")], [true, false]);
  });

  test("the journal has every line with its priority, and no error", async () => {
    const lines = await journalOf(cluster.on("pve1"));
    assert.deepEqual(
      lines.filter(({ MESSAGE, PRIORITY }) => /^<\d>/.test(MESSAGE) || Number(PRIORITY) <= 3),
      [],
    );
    assert.equal(lines.find(({ MESSAGE }) => MESSAGE.startsWith("joined the hub"))?.PRIORITY, "6");
  });

  test("checks and doctors find nothing wrong but the clock, which nobody sets in a container", async () => {
    const troubles = (output: string) => output.split("\n").filter((line) => line.startsWith("!!") && !/^!! +clock/.test(line));
    assert.match(await cluster.on("pve1").run("proven-hub", "--check"), /^cert +[0-9A-F:]+$/m);
    assert.match((await cluster.on("pve2").try("proven-agent", "--check")).stdout, /^ok +hub .*fingerprint fits, joined$/m);
    const hub = await cluster.on("pve1").try("proven-hub", "doctor");
    assert.match(hub.stdout, /^ok +hub\.json +sends agents to wss:\/\/192\.168\.50\.11:8420\/agent$/m);
    assert.deepEqual(troubles(hub.stdout), []);
    const agent = await cluster.on("pve1").try("proven-agent", "doctor");
    assert.match(agent.stdout, /^ok +web UI +has our line$/m);
    assert.deepEqual(troubles(agent.stdout), []);
    await cluster.on("pve2").run("systemctl", "stop", "proven-agent");
    const stopped = await cluster.on("pve2").try("proven-agent", "doctor");
    await cluster.on("pve2").run("systemctl", "start", "proven-agent");
    assert.deepEqual(
      { code: stopped.code, troubles: troubles(stopped.stdout).map((line) => line.split(/ {2,}/)[1]) },
      { code: 1, troubles: ["service", "gateway"] },
    );
  });

  test("what restore tests do to the network works inside the agent's sandbox, and the rest of the system stays closed to it", async () => {
    const node = cluster.on("pve3");
    await node.run("mount", "-o", "remount,rw", "/proc/sys"); // closed by nspawn, not by our unit
    await node.run("sh", "-e", "-c", writing("/etc/proven/steps", sandboxSteps));
    await changeUnit(node, "proven-agent", stepsOfUnit);
    const ran = await node.try("systemctl", "restart", "proven-agent");
    const said = await node.run("journalctl", "--unit=proven-agent", "--lines=20", "--no-pager", "--output=cat");
    await node.run("rm", "/etc/proven/steps");
    await changeUnit(node, "proven-agent");
    await node.run("systemctl", "restart", "proven-agent");
    assert.equal(ran.code, 0, said);
    assert.match(said, /^all of it$/m);
  });

  test("the web UI has our line, also after an upgrade of pve-manager, and not while it is switched off", async () => {
    assert.equal((await page("pve1")).match(/proven-host\.js/g)?.length, 1);
    await install("pve1", "pve-manager-9.2.12.deb");
    assert.match(await page("pve1"), /<title>new [\s\S]*proven-host\.js/);
    const lines = (count: number) =>
      until(
        `${count} lines`,
        () => page("pve1"),
        (text) => (text.match(/proven-host\.js/g)?.length ?? 0) === count,
        10_000,
      );
    await cluster.on("pve1").run("touch", "/etc/proven/ui-disabled");
    await lines(0);
    await cluster.on("pve1").run("rm", "/etc/proven/ui-disabled");
    await lines(1);
    // As an editor does it: the file is replaced by another.
    const edit = (how: string) => cluster.on("pve1").run("sed", "-i", how, "/etc/proven/agent.toml");
    const named = (wanted: string | undefined) =>
      until(
        `port ${wanted}`,
        () => page("pve1"),
        (text) => /proven-host\.js[^>]* data-port="(\d+)"/.exec(text)?.[1] === wanted,
        10_000,
      );
    await edit("s/^#\\[gateway\\]/[gateway]/; s/^#port = 8421/port = 9421/");
    await named("9421");
    // Another editor: the file is away for a while. The page must not follow that, and then miss what comes last.
    const template = () => cluster.on("pve1").run("stat", "-c", "%i", "/usr/share/pve-manager/index.html.tpl");
    const ended = () => cluster.on("pve1").run("systemctl", "show", "-p", "ExecMainExitTimestampMonotonic", "proven-ui.service");
    const [before, last] = [await template(), await ended()];
    await cluster.on("pve1").run("sh", "-c", "cd /etc/proven && mv agent.toml other && sleep 0.3 && mv other agent.toml");
    await until("the page was looked at", ended, (now) => now !== last && !/=0$/m.test(now), 10_000);
    assert.equal(await template(), before);
    await edit("s/^\\[gateway\\]/#[gateway]/; s/^port = 9421/#port = 8421/");
    await named(undefined);
  });

  test("an upgrade of all nodes under load keeps settings and loses no sample", async () => {
    await cluster.on("pve2").run("sh", "-c", "printf '\\n[outlet]\\nmail = false\\n' >>/etc/proven/agent.toml");
    const settings = await cluster.on("pve2").run("cat", "/etc/proven/agent.toml");
    console.log(`# PSS before the upgrade: hub ${(await pssMib(cluster, "pve1", "proven-hub")).toFixed(1)} MiB`);
    const over = new AbortController();
    let answered = 0;
    const load = (async () => {
      while (!over.signal.aborted) {
        await until(
          "an answer",
          () => cluster.samplesOf("pve3", joinedAt - 60_000),
          () => true,
          30_000,
        );
        answered++;
      }
    })();
    await install("pve1", ...packages.new);
    await Promise.all([
      install("pve2", ...named("new", "proven-agent")),
      cluster.on("pve3").run("sh", "-e", "-c", upgradeFromRepository),
    ]);
    await connected(3, 60_000);
    const upgradedAt = Date.now();
    for (const node of nodes) await flowing(node, upgradedAt, 60_000);
    over.abort();
    await load;
    assert.ok(answered > 10, `${answered} queries answered meanwhile`);
    assert.equal(await cluster.on("pve2").run("cat", "/etc/proven/agent.toml"), settings);
    for (const node of nodes) {
      assert.equal(await cluster.on(node).run("proven-agent", "--version"), "proven-agent 0.1.0\n");
      const gapMs = await longestGap(node);
      assert.ok(gapMs < maxGapMs, `${node}: ${gapMs} ms without a sample`);
    }
    await assertHealthyUnits("pve1", ["proven-agent", "proven-hub"]);
  });

  test("after pve-cluster was restarted an agent sees the new /etc/pve: it finds the hub by it in the tests that follow", async () => {
    await remountClusterFiles(cluster, "pve2");
    const [hub, agent] = [await pssMib(cluster, "pve1", "proven-hub"), await pssMib(cluster, "pve2", "proven-agent")];
    console.log(`# PSS after the upgrade under load: hub ${hub.toFixed(1)} MiB, agent ${agent.toFixed(1)} MiB`);
  });

  test("a hub that the kernel kills for want of memory is back by itself, with every sample", async (t) => {
    const killedAt = Date.now();
    // What it holds already does not count: the less it may add, the sooner it asks for too much.
    if (!starve(await cluster.on("pve1").hostPid("proven-hub"), 2 << 20)) return t.skip("no control groups for memory here");
    const dead = () => cluster.on("pve1").run("systemctl", "show", "--value", "--property=NRestarts", "proven-hub");
    const busy = until(
      "killed",
      async () => {
        await cluster.samplesOf("pve3", joinedAt - 60_000).catch(() => undefined);
        return dead();
      },
      (count) => count.trim() === "1",
      60_000,
    );
    await busy;
    await connected(3, 60_000);
    for (const node of nodes) await flowing(node, killedAt, 60_000);
    for (const node of nodes) {
      const gapMs = await longestGap(node);
      assert.ok(gapMs < maxGapMs, `${node}: ${gapMs} ms without a sample`);
    }
  });

  test("a hub whose event loop hangs is ended by systemd's watchdog and started again, with every sample", async () => {
    const node = cluster.on("pve1");
    await node.run("sh", "-e", "-c", writing("/etc/proven/hang.mjs", hangs));
    await changeUnit(node, "proven-hub", ["WatchdogSec=3", "Environment=NODE_OPTIONS=--import=/etc/proven/hang.mjs"]);
    await node.run("systemctl", "restart", "proven-hub");
    await node.run("touch", trap);
    await until(
      "started again",
      () => node.run("systemctl", "show", "--value", "--property=NRestarts", "proven-hub"),
      (count) => Number(count) > 0,
      60_000,
    );
    assert.match(
      await node.run("journalctl", "--unit=proven-hub", "--no-pager", "--output=cat"),
      /Watchdog timeout \(limit 3s\)/,
    );
    await node.run("rm", "/etc/proven/hang.mjs");
    await changeUnit(node, "proven-hub");
    await node.run("systemctl", "restart", "proven-hub");
    const backAt = Date.now();
    await connected(3, 60_000);
    for (const name of nodes) {
      await flowing(name, backAt, 60_000);
      const gapMs = await longestGap(name);
      assert.ok(gapMs < maxGapMs, `${name}: ${gapMs} ms without a sample`);
    }
  });

  test("a renewed certificate is known before it is shown, and then hub.json names no other", async () => {
    const node = cluster.on("pve1");
    const made = await node.run("proven-hub", "certificate", "renew", "--now");
    const next = /^fingerprint +(\S+)$/m.exec(made)?.[1] ?? "";
    const told = async () => JSON.parse(await node.run("cat", "/etc/pve/proven/hub.json")) as Record<string, string>;
    await until("settled", told, (file) => file.fingerprint === next && file.next === undefined, 120_000);
    const renewedAt = Date.now();
    await cluster.on("pve2").run("systemctl", "restart", "proven-agent");
    await flowing("pve2", renewedAt, 60_000);
    await connected(3, 60_000);
    assert.equal((await node.try("systemctl", "--failed", "--no-legend")).stdout.trim(), "");
  });

  test("the hub's node is rebooted: hub and agent come back, and the other nodes lose nothing", async () => {
    await cluster.on("pve1").reboot();
    await connected(3, 90_000);
    const bootedAt = Date.now();
    for (const node of nodes) await flowing(node, bootedAt, 60_000);
    const asked = ["--unit=proven-agent", "--priority=warning", "--no-pager", "--output=cat"];
    const warnings = await cluster.on("pve2").run("journalctl", ...asked);
    assert.match(warnings, /^hub unreachable: /m);
    assert.doesNotMatch(warnings, /^(joined|connected to) the hub|^agent st/m, "what is no warning");
    for (const node of ["pve2", "pve3"] as const) {
      const gapMs = await longestGap(node);
      assert.ok(gapMs < maxGapMs, `${node}: ${gapMs} ms without a sample`);
    }
  });

  test("a node that was shut out comes back by a join token, with another key; a token that was revoked or used is no good", async () => {
    await joinByToken(cluster, "pve3");
    await connected(3, 60_000);
  });

  test("a hub that root saved while it ran goes back to what was saved: agents come back, and history is there", async () => {
    const node = cluster.on("pve1");
    const before = await cluster.samplesOf("pve3", joinedAt - 60_000);
    const saved = await saveHub(node);
    await node.run("proven-hub", "key", "create", "--name", "afterwards", "--scope", "admin");
    await goBack(node);
    await connected(3, 90_000);
    const backAt = Date.now();
    for (const name of nodes) await flowing(name, backAt, 60_000);
    const last = before.at(-1) ?? 0;
    assert.ok(before.length > 0, "there was history");
    assert.deepEqual(
      (await cluster.samplesOf("pve3", joinedAt - 60_000)).filter((at) => at <= last),
      before,
      saved,
    );
    assert.doesNotMatch(await node.run("proven-hub", "key", "list"), /afterwards/, "made after the copy");
    await assertHealthyUnits("pve1", ["proven-agent", "proven-hub"]);
    await removeCopies(node);
  });

  test("removal restores the web UI byte for byte and keeps settings; a purge leaves the user and nothing else", async () => {
    const { on } = { on: cluster.on("pve1") };
    await on.run("apt-get", "remove", "-q", "-y", "proven-agent", "proven-hub", "proven-pve-ui");
    assert.equal(await page("pve1"), pveTemplate.replace("<title>", "<title>new "));
    assert.equal((await on.try("test", "-f", "/etc/proven/hub.toml")).code, 0);
    assert.equal((await on.try("test", "-d", "/var/lib/proven-hub")).code, 0);
    await on.run("dpkg", "--purge", "proven-agent", "proven-hub", "proven-pve-ui");
    await on.run("dpkg", "--purge", "pve-manager");
    const now = new Set(await listFiles("pve1"));
    const then = new Set(filesBefore);
    assert.deepEqual(
      { more: [...now].filter((line) => !then.has(line)), less: filesBefore.filter((line) => !now.has(line)) },
      { more: [], less: [] },
    );
    assert.match(await on.run("getent", "passwd", "proven"), /^proven:/);
    // What systemd, debhelper, caches and logs keep of their own accord counts, too: in places that the comparison leaves out.
    const leftovers = await on.run("find", "/", "-xdev", "-not", "-path", "/debs*", "-iname", "*proven*", "-print");
    assert.deepEqual(
      leftovers
        .split("\n")
        .filter((path) => path !== "")
        .sort(),
      [],
    );
    for (const list of ["list-unit-files", "list-units"]) {
      assert.equal((await on.try("systemctl", list, "--all", "--no-legend", "--plain", "*proven*")).stdout.trim(), "", list);
    }
    assert.notEqual((await on.try("dpkg-query", "--show", "proven-*")).code, 0, "dpkg knows none of them");
    assert.equal((await on.try("pgrep", "--full", "/usr/lib/proven")).code, 1, "no process");
    // The cluster's own, as the manual says.
    await on.run("ls", "-d", "/etc/pve/proven", "/etc/pve/priv/proven");
  });
});
