// Brings a fresh clone to where `tsx` can run: npm packages and, with --sandbox, the Debian packages that restore tests of the simulated cluster
// need; with --packages what makes Debian packages; with --debian all that tests need; with --bench what the hub's service has on a node. Plain JavaScript with nothing but Node's own modules, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer`);

installNpmPackages();
const forSandboxes = { ip: "iproute2", nft: "nftables", dnsmasq: "dnsmasq-base", ping: "iputils-ping" };
const forPackages = { dh: "debhelper", "dh_bash-completion": "bash-completion", strip: "binutils" };
const forTests = {
  ...forSandboxes,
  ...forPackages,
  chromium: "chromium",
  mosquitto: "mosquitto",
  openssl: "openssl",
  zstd: "zstd",
  lzop: "lzop",
  gpg: "gnupg",
  lintian: "lintian",
  debootstrap: "debootstrap",
  "systemd-nspawn": "systemd-container",
};
const forMeasures = { "libjemalloc.so.2": "libjemalloc2" };
if (process.argv.includes("--debian")) installDebianPackages(forTests, "their tests will be skipped");
else if (process.argv.includes("--packages")) installDebianPackages(forPackages, "no package can be made");
else if (process.argv.includes("--sandbox")) installDebianPackages(forSandboxes, "restore tests will be refused");
else if (process.argv.includes("--bench")) installDebianPackages(forMeasures, "the hub is measured with the system's allocator");

/**
 * Installs what the lock file says unless node_modules was made from this very lock file by this Node. Not `npm ci`: it refuses where a
 * registry mirror lacks optional packages of other platforms.
 */
function installNpmPackages() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .update(process.versions.modules)
    .digest("hex");
  const stamp = join(root, "node_modules/.proven-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.log("installing npm packages …");
  const { status } = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund"], { cwd: root, stdio: "inherit" });
  if (status !== 0) fail("npm install failed: see above. Is the npm registry reachable?");
  writeFileSync(stamp, wanted);
}

/** Programs that are run for real and libraries, and the Debian package that has each. What can't be installed is named, with what it means. */
function installDebianPackages(needed, without) {
  const paths = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  const isThere = (name) =>
    name.includes(".so.") ? librariesKnown().includes(name) : paths.some((path) => existsSync(join(path, name)));
  const missing = Object.entries(needed).filter(([name]) => !isThere(name));
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name);
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    console.log(`not installed, ${without}: ${packages.join(" ")} (run as root on Debian to install them)`);
    return;
  }
  console.log(`installing Debian packages: ${packages.join(" ")} …`);
  mkdirSync("/var/lib/apt/lists/partial", { recursive: true });
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update", "-q"], { stdio: ["ignore", "ignore", "inherit"], env });
  const { status } = spawnSync(
    "apt-get",
    ["install", "-y", "-q", "--no-install-recommends", ...packages, ...("chromium" in needed ? ["fonts-dejavu-core"] : [])],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    },
  );
  if (status !== 0) console.log(`could not install all of ${packages.join(" ")}: ${without}`);
}

/** What the loader finds by name, as text. */
function librariesKnown() {
  return spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" }).stdout ?? "";
}

function fail(problem) {
  console.error(problem);
  process.exit(1);
}
