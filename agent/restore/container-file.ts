import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { configPath } from "./node-view.ts";
import type { RestorePorts } from "./ports.ts";

/**
 * Replaces a file if it still holds what was judged: digest and path come as arguments, the new text on stdin. Written beside it and renamed, as
 * `PVE::Tools::file_set_contents` does. Perl, because PVE is made of it: it is on every node, and so are these modules.
 */
const replace = `use strict; use warnings; use Digest::SHA qw(sha256_hex);
my ($path, $digest) = @ARGV; local $/;
open(my $in, '<', $path) or die "open: $!\\n"; binmode $in; my $old = <$in> // ''; close $in;
if (sha256_hex($old) ne $digest) { print STDERR "changed\\n"; exit 3 }
binmode STDIN; my $new = <STDIN> // '';
my $tmp = "$path.tmp.$$";
open(my $out, '>', $tmp) or die "write: $!\\n"; binmode $out; print $out $new or die "write: $!\\n";
close $out or die "write: $!\\n";
rename($tmp, $path) or do { my $e = $!; unlink $tmp; die "rename: $e\\n" };`;

/** As long as PVE's own callers wait (pve-container `PVE/LXC/Config.pm` lock_config). */
const lockSec = 10;

/**
 * Writes a container's configuration file under PVE's own lock, only if it still reads `before`. Undefined: it is written. There is no API that
 * unlocks a container or takes away raw `lxc.*` lines.
 */
export async function rewriteContainer(
  { run, root, node }: Pick<RestorePorts, "run" | "root" | "node">,
  vmid: number,
  before: string,
  after: string,
): Promise<string | undefined> {
  const path = join(root, configPath(node, "lxc", vmid));
  const lock = join(root, `/run/lock/lxc/pve-config-${vmid}.lock`);
  mkdirSync(dirname(lock), { recursive: true });
  const digest = createHash("sha256").update(before).digest("hex");
  const args = ["-w", String(lockSec), lock, "perl", "-e", replace, path, digest];
  const result = await run("flock", args, { timeoutMs: (lockSec + 5) * 1000, input: after });
  if (!result.ok) return result.problem;
  if (result.code === 0) return undefined;
  if (result.code === 3) return "its configuration changed meanwhile";
  return result.stderr.trim().slice(0, 300) || "PVE's lock of its configuration could not be had";
}
