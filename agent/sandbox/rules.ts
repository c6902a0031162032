/**
 * Text for `nft -f -` that makes, or makes anew, a sandbox' table in one step: no frame of it reaches this host or leaves through it, in IPv4 or IPv6.
 * Frames between two guests of one sandbox may pass, in case br_netfilter shows them here. Our priority comes before everybody's: another table that
 * accepts does not undo a drop.
 */
export function sandboxRules({ table, bridge }: { table: string; bridge: string }): string {
  const chain = (hook: string, rules: readonly string[]) => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority -400; policy accept;`,
    ...rules.map((rule) => `    ${rule}`),
    "  }",
  ];
  const [from, to] = [`iifname "${bridge}"`, `oifname "${bridge}"`];
  return `${[
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...chain("input", [`${from} drop`]),
    ...chain("output", [`${to} drop`]),
    ...chain("forward", [`${from} ${to} accept`, `${from} drop`, `${to} drop`]),
    "}",
  ].join("\n")}\n`;
}

/**
 * Text for `nft -f -` that parts these ports of a sandbox' bridge from all but the sandbox' own: frames of theirs go to it and come from it, nowhere
 * else. By name, so that it counts from the moment a port is there, also after a reboot of its guest.
 */
export function partedRules(table: string, port: string, devices: readonly string[]): string {
  const these = `{ ${devices.map((device) => `"${device}"`).join(", ")} }`;
  return `${[
    `add table bridge ${table}`,
    `delete table bridge ${table}`,
    `table bridge ${table} {`,
    "  chain forward {",
    "    type filter hook forward priority -400; policy accept;",
    `    iifname ${these} oifname != "${port}" drop`,
    `    oifname ${these} iifname != "${port}" drop`,
    "  }",
    "}",
  ].join("\n")}\n`;
}
