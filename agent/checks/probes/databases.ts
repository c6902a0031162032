import type { Socket } from "node:net";
import type { CheckOf } from "../network-checks.ts";
import { failed, passed, printable, type Verdict } from "../verdict.ts";
import { firstBytes, openTcp, openTls } from "./sockets.ts";

/** PostgreSQL's protocol 3.0: `SSLRequest` and `StartupMessage` (its manual, "Message Formats"). */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

function startupMessage(): Buffer {
  const words = Buffer.from("user\0proven\0database\0proven\0application_name\0proven-restore-test\0\0");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + words.length, 0);
  head.writeUInt32BE(0x0003_0000, 4);
  return Buffer.concat([head, words]);
}

/** Asks who it is, up to the question for a password. A refusal of user or database comes from a server that works; one that starts up does not yet. */
export async function probePostgresql(check: CheckOf<"postgresql">, address: string, signal: AbortSignal): Promise<Verdict> {
  const plain = await openTcp(address, check.port ?? 5432, signal);
  try {
    plain.write(sslRequest);
    const answer = (await firstBytes(plain, () => true, 1)).toString("latin1", 0, 1);
    if (answer !== "S" && answer !== "N") return failed("it does not speak PostgreSQL's protocol");
    const socket: Socket = answer === "S" ? await openTls({ socket: plain }, undefined, signal) : plain;
    socket.write(startupMessage());
    return judgePostgresql(await firstBytes(socket, isWholeMessage), answer === "S");
  } finally {
    plain.destroy();
  }
}

const isWholeMessage = (bytes: Buffer) => bytes.length >= 5 && bytes.length >= 1 + bytes.readUInt32BE(1);

function judgePostgresql(message: Buffer, tls: boolean): Verdict {
  const kind = message.toString("latin1", 0, 1);
  if (kind === "R") return passed(`PostgreSQL asks who we are${tls ? ", over TLS" : ""}`);
  if (kind !== "E") return failed("it does not speak PostgreSQL's protocol");
  const fields = message.subarray(5).toString("utf8").split("\0");
  const field = (letter: string) => fields.find((each) => each.startsWith(letter))?.slice(1) ?? "";
  const [state, text] = [field("C"), printable(field("M"), 200)];
  // Class 28: not this user; 3D000: not this database. Both after the server has looked into its own files.
  const works = state.startsWith("28") || state === "3D000";
  return works ? passed(`PostgreSQL answers: ${text}`) : failed(`PostgreSQL says: ${text} (${printable(state, 5)})`);
}

/** "Host … is not allowed to connect": it has read its tables of users, so it works. */
const hostNotAllowed = 1130;

/** The greeting of MySQL and MariaDB (Protocol::HandshakeV10) with its version. */
export async function probeMysql(check: CheckOf<"mysql">, address: string, signal: AbortSignal): Promise<Verdict> {
  const socket = await openTcp(address, check.port ?? 3306, signal);
  try {
    const packet = await firstBytes(socket, (bytes) => bytes.length >= 4 && bytes.length >= 4 + bytes.readUIntLE(0, 3));
    const [sequence, kind] = [packet[3], packet[4]];
    if (packet.length < 8 || sequence !== 0) return failed("it does not speak MySQL's protocol");
    if (kind === 0xff) return judgeMysqlError(packet);
    if (kind !== 10) return failed("it does not speak MySQL's protocol");
    const end = packet.indexOf(0, 5);
    if (end < 0) return failed("its greeting breaks off");
    return passed(`MySQL ${printable(packet.toString("utf8", 5, end), 100)}`);
  } finally {
    socket.destroy();
  }
}

function judgeMysqlError(packet: Buffer): Verdict {
  const code = packet.readUInt16LE(5);
  const text = printable(packet.toString("utf8", 7), 200);
  return code === hostNotAllowed ? passed(`MySQL answers: ${text}`) : failed(`MySQL says: ${text} (${code})`);
}
