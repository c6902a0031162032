import type { Server } from "node:net";

/** Undefined: `server` listens; else why it does not. Where the kernel has no IPv6, `::` is all addresses of IPv4. */
export async function listenAt(
  server: Server,
  { listen: host, port }: { listen: string; port: number },
): Promise<string | undefined> {
  const error = await tryToListen(server, host, port);
  const isWithoutIpv6 = host === "::" && error?.code === "EAFNOSUPPORT";
  return (isWithoutIpv6 ? await tryToListen(server, "0.0.0.0", port) : error)?.message;
}

function tryToListen(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ port, host, ipv6Only: false }, () => {
      server.off("error", resolve);
      resolve(undefined);
    });
  });
}
