import type { Finding } from "#protocol/findings.ts";

/** Of the page's template. `wanted`: the package is here and not switched off. */
export function judgePage(template: string, wanted: boolean): Finding {
  const there = template.includes("/pve2/js/proven-host.js");
  if (there === wanted)
    return { about: "web UI", state: "ok", says: there ? "has our line" : "has no line of ours, as it should be" };
  const says = there ? "still has our line" : "lacks our line: there is no Proven tab";
  return { about: "web UI", state: "trouble", says, remedy: "/usr/lib/proven/patch-ui apply" };
}

/** Of pmxcfs' `.members`; a node without a cluster has no such entry, and is quorate by itself. */
export function judgeQuorum(members: string): Finding {
  const quorate = /"quorate"\s*:\s*(\d)/.exec(members)?.[1];
  if (quorate !== "0") return { about: "cluster", state: "ok", says: quorate === undefined ? "a node by itself" : "quorate" };
  const remedy = "pvecm status: bring more nodes back";
  return { about: "cluster", state: "trouble", says: "no quorum: /etc/pve is read-only", remedy };
}
