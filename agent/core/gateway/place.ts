/**
 * Where somebody asks from, for what is counted by address: an IPv4 address, or the /64 that one customer has of IPv6, since who has that could come from
 * another address each time. `address`: as Node gives a peer's. A link-local one stands for itself: its /64 is everybody's.
 */
export function placeOf(address: string | undefined): string {
  const [plain = ""] = (address ?? "").replace(/^::ffff:(?=\d+\.)/i, "").split("%", 1);
  if (!plain.includes(":") || /^fe[89ab]/i.test(plain)) return plain;
  const [head = "", tail] = plain.toLowerCase().split("::");
  const [before, after] = [head, tail ?? ""].map((text) => (text === "" ? [] : text.split(":"))) as [string[], string[]];
  const left = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(left).fill("0"), ...after].slice(0, 4).join(":");
}
