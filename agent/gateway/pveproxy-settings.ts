import { BlockList, isIP } from "node:net";

/**
 * One setting of /etc/default/pveproxy, which pveproxy has a shell read (pve-http-server `PVE/APIServer/Utils.pm`, read_proxy_config): plain assignments,
 * of which the last counts. Undefined: it is not set, or empty.
 */
function settingOf(text: string, name: string): string | undefined {
  const assigned = text.matchAll(/^[ \t]*(?:export[ \t]+)?([A-Z_0-9]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s;#"']*))/gm);
  const values = [...assigned]
    .filter(([, key]) => key === name)
    .map(([, , ...quoted]) => quoted.find((one) => one !== undefined));
  return values.at(-1) || undefined;
}

/** Where the key of an uploaded certificate lies, if not beside it. */
export function keyFileOf(text: string): string | undefined {
  const path = settingOf(text, "TLS_KEY_FILE");
  return path?.startsWith("/") ? path : undefined;
}

/** Who may connect. `problem`: what of the lists was not understood; then nobody may. */
export type Door = { admits(address: string | undefined): boolean; problem: string | undefined };

export const openDoor: Door = { admits: () => true, problem: undefined };

/**
 * pveproxy's own: who is in one of `ALLOW_FROM` and `DENY_FROM` is let in or not, who is in both or in none as `POLICY` says (pve-http-server
 * `PVE/APIServer/AnyEvent.pm`, check_host_access). Whoever may not reach Proxmox VE's page has no business at this gateway.
 */
export function doorOf(text: string): Door {
  const [allow, deny] = ["ALLOW_FROM", "DENY_FROM"].map((name) => addressList(settingOf(text, name)));
  const byDefault = (settingOf(text, "POLICY") ?? "allow") === "allow";
  if (allow === undefined || deny === undefined) {
    return {
      admits: () => false,
      problem: "ALLOW_FROM or DENY_FROM in /etc/default/pveproxy is not understood: nobody is let in",
    };
  }
  const admits = (address: string | undefined) => {
    const plain = (address ?? "").replace(/^::ffff:(?=\d+\.)/i, "").split("%", 1)[0] ?? "";
    const family = isIP(plain) === 6 ? "ipv6" : "ipv4";
    if (isIP(plain) === 0) return false;
    const [isAllowed, isDenied] = [allow.check(plain, family), deny.check(plain, family)];
    return isAllowed === isDenied ? byDefault : isAllowed;
  };
  return { admits, problem: undefined };
}

/** `all`, addresses, networks, ranges, with commas between them. Undefined: something else. */
function addressList(text = ""): BlockList | undefined {
  const list = new BlockList();
  try {
    for (const entry of text.split(",").map((one) => one.trim())) if (entry !== "") add(list, entry);
    return list;
  } catch {
    return undefined;
  }
}

/** @throws for what is no address. */
function add(list: BlockList, entry: string): void {
  if (entry === "all") {
    list.addSubnet("0.0.0.0", 0, "ipv4");
    list.addSubnet("::", 0, "ipv6");
    return;
  }
  const [first = "", last] = entry.split("-").map((one) => one.trim());
  const [start = "", prefix] = first.split("/");
  // Net::IP takes 10/8 for 10.0.0.0/8.
  const address = /^\d+(\.\d+){0,2}$/.test(start) ? [...start.split("."), "0", "0", "0"].slice(0, 4).join(".") : start;
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (last !== undefined) list.addRange(address, last, family);
  else if (prefix !== undefined) list.addSubnet(address, Number.parseInt(prefix, 10), family);
  else list.addAddress(address, family);
}
