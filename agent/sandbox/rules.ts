const table = "inet proven_sandbox";

/**
 * Text for `nft -f -` that replaces our table in one step: no frame of a sandbox reaches this host or leaves through it, in IPv4 or IPv6. Frames
 * between two guests of one sandbox may pass, in case br_netfilter shows them here. Our priority comes before everybody's: another table that
 * accepts does not undo a drop. No bridges: no table.
 */
export function sandboxRules(bridges: readonly string[]): string {
  const clear = `add table ${table}\ndelete table ${table}\n`;
  if (bridges.length === 0) return clear;
  const all = `{ ${bridges.map((bridge) => `"${bridge}"`).join(", ")} }`;
  const within = bridges.map((bridge) => `    iifname "${bridge}" oifname "${bridge}" accept`);
  const chain = (hook: string, rules: readonly string[]) => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority -400; policy accept;`,
    ...rules,
    "  }",
  ];
  return `${clear}${[
    `table ${table} {`,
    ...chain("input", [`    iifname ${all} drop`]),
    ...chain("output", [`    oifname ${all} drop`]),
    ...chain("forward", [...within, `    iifname ${all} drop`, `    oifname ${all} drop`]),
    "}",
  ].join("\n")}\n`;
}
