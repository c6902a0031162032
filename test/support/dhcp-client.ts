import { createSocket } from "node:dgram";

/**
 * Asks for an address as a booting guest does (RFC 2131) and prints `address router dns`. Arguments: the card's MAC; what the client calls itself
 * (option 60), which then gives up after a second.
 */
const mac = Buffer.from((process.argv[2] as string).replaceAll(":", ""), "hex");
const vendor = process.argv[3];
const called = vendor === undefined ? [] : [60, vendor.length, ...Buffer.from(vendor)];

function packet(type: number, options: readonly number[]): Buffer {
  const bytes = Buffer.alloc(240);
  bytes.set([1, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe], 0);
  bytes.writeUInt16BE(0x8000, 10); // answer by broadcast: we have no address yet
  bytes.set(mac, 28);
  bytes.writeUInt32BE(0x63825363, 236);
  return Buffer.concat([bytes, Buffer.from([53, 1, type, 55, 2, 3, 6, ...called, ...options, 255])]);
}

function optionsOf(answer: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 240; at < answer.length && answer[at] !== 255; ) {
    const length = answer[at + 1] as number;
    options.set(answer[at] as number, answer.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

const socket = createSocket({ type: "udp4", reuseAddr: true });
const send = (bytes: Buffer) => socket.send(bytes, 67, "255.255.255.255");
socket.on("message", (answer) => {
  const options = optionsOf(answer);
  const text = (bytes: Buffer | undefined) => (bytes === undefined ? "none" : [...bytes.subarray(0, 4)].join("."));
  const address = answer.subarray(16, 20);
  if (options.get(53)?.[0] === 2) send(packet(3, [50, 4, ...address, 54, 4, ...(options.get(54) as Buffer)]));
  if (options.get(53)?.[0] !== 5) return;
  process.stdout.write(`${text(address)} ${text(options.get(3))} ${text(options.get(6))}\n`);
  socket.close();
});
socket.bind(68, () => {
  socket.setBroadcast(true);
  send(packet(1, []));
});
if (vendor !== undefined) {
  const late = setTimeout(() => {
    process.stdout.write("nobody answered\n");
    socket.close();
  }, 1000);
  socket.on("close", () => clearTimeout(late));
}
