import type { GuestView, Reading } from "#protocol/api.ts";

/** Words of a filter: `web tag:prod node:pve1 state:running`. Every word must match; a bare word looks in name, number, node and tags. */
export function filterGuests(guests: readonly GuestView[], filter: string): GuestView[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 0 ? [...guests] : guests.filter((guest) => words.every((word) => matches(guest, word)));
}

function matches(guest: GuestView, word: string): boolean {
  const [field, ...rest] = word.split(":");
  const value = rest.join(":");
  switch (rest.length > 0 ? field : undefined) {
    case "tag":
      return guest.tags.some((tag) => tag.toLowerCase() === value || tag.toLowerCase().startsWith(`${value}.`));
    case "node":
      return guest.node.toLowerCase() === value;
    case "state":
      return guest.state === value;
    case "type":
      return guest.type === value || (value === "vm" && guest.type === "qemu") || (value === "ct" && guest.type === "lxc");
    default:
      return [guest.name, String(guest.vmid), guest.node, ...guest.tags].some((text) => text.toLowerCase().includes(word));
  }
}

/** When a guest was last heard of: the newest of its readings. Undefined: never. */
export function lastHeardAt(guest: GuestView): number | undefined {
  const readings: Reading[] = [guest.cpu, guest.memUsed, guest.uptime, guest.netIn, guest.cpus, guest.memMax];
  const times = readings.map((reading) => reading.at).filter((at) => at !== null);
  return times.length > 0 ? Math.max(...times) : undefined;
}

/** Who says how much memory a guest uses, in words (`GuestView.memSource`); English, to be translated. */
export function memorySourceText(source: string | null): string {
  switch (source) {
    case "agent":
      return "as the guest itself says";
    case "balloon":
      return "as the balloon driver says";
    case "host":
      return "as the host sees it";
    case "cgroup":
      return "as its control group counts";
    default:
      return "source unknown";
  }
}
