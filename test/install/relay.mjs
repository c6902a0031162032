// node relay.mjs LISTEN TO, each unix:PATH or tcp:HOST:PORT. Unix sockets reach over the borders of network namespaces: so what runs in one can
// be asked from another, without a route between them. Plain JavaScript, because it starts often.
import { connect, createServer } from "node:net";

const place = (text) => {
  const [kind, ...rest] = text.split(":");
  return kind === "unix" ? { path: rest.join(":") } : { host: rest[0], port: Number(rest[1]) };
};
const [listenAt, to] = process.argv.slice(2).map(place);
createServer((inside) => {
  const outside = connect(to);
  inside.pipe(outside).pipe(inside);
  inside.on("error", () => outside.destroy());
  outside.on("error", () => inside.destroy());
}).listen(listenAt, () => console.log("ready"));
