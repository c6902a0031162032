import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { LoginData, ShellPve } from "./shell-pve.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const patcher = fileURLToPath(new URL("../../../ui-extension/patch-template.sh", import.meta.url));
const types: Record<string, string> = {
  ".js": "application/javascript",
  ".css": "text/css",
  ".png": "image/png",
  ".gif": "image/gif",
  ".svg": "image/svg+xml",
  ".woff": "application/font-woff",
  ".woff2": "application/font-woff2",
  ".ttf": "application/x-font-ttf",
};

export type ShellOptions = {
  /** Of extFiles(). */
  ext: string;
  /** The loader, as the build makes it. */
  loader: string;
  /** Where the gateway is, instead of port 8421 of the page's host. */
  gateway: string;
  pve: ShellPve;
  port?: number;
  /** Served by https then. */
  tls?: { cert: string; key: string };
  /** Changes our own classes, to see the loader meet another Proxmox VE. */
  changeLibrary?: (source: string) => string;
};

export type Shell = { url: string; close(): Promise<void> };

/** A page like Proxmox VE's on 127.0.0.1, patched by the real patcher, with real Ext JS. */
export async function startShell(options: ShellOptions): Promise<Shell> {
  const template = patchedTemplate(options);
  const library = ["pvemanagerlib.js", "workspace.js"].map((name) => readFileSync(join(here, name), "utf8")).join("\n");
  const own: Record<string, string> = {
    "/proxmoxlib.js": readFileSync(join(here, "proxmoxlib.js"), "utf8"),
    "/pve2/js/pvemanagerlib.js": options.changeLibrary?.(library) ?? library,
    "/pve2/js/proven-host.js": options.loader,
    "/pve2/css/shell.css": readFileSync(join(here, "shell.css"), "utf8"),
    "/pwt/themes/theme-proxmox-dark.css": readFileSync(join(here, "theme-proxmox-dark.css"), "utf8"),
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? "/", "http://shell").pathname;
    const text = own[path];
    if (path === "/") return send(response, 200, "text/html; charset=utf-8", await render(template, request, options.pve));
    if (text !== undefined) return send(response, 200, types[extname(path)] ?? "text/plain", text);
    if (path.startsWith("/pve2/ext6/")) return sendFile(response, options.ext, path.slice("/pve2/ext6/".length));
    if (path.startsWith("/api2/json/")) return await answerApi(request, response, path, options.pve);
    // As pveproxy answers for a file that isn't there.
    send(response, 500, "text/plain", "no such file");
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch((cause) => {
      console.error(cause);
      if (!response.headersSent) response.writeHead(500).end();
    });
  };
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  server.listen(options.port ?? 0, "127.0.0.1");
  await new Promise((settle) => server.once("listening", settle));
  const scheme = options.tls === undefined ? "http" : "https";
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => closeServer(server) };
}

/** Also for servers with live streams. */
export async function closeServer(server: Pick<Server, "close" | "closeAllConnections">): Promise<void> {
  server.closeAllConnections();
  await new Promise((settle) => server.close(settle));
}

/** Our template after the patcher that the package ships; the gateway's address is told by the script's tag. */
function patchedTemplate({ loader, gateway }: ShellOptions): string {
  const root = mkdtempSync(join(tmpdir(), "proven-shell-"));
  try {
    const template = join(root, "usr/share/pve-manager/index.html.tpl");
    mkdirSync(join(root, "usr/share/pve-manager/js"), { recursive: true });
    copyFileSync(join(here, "index.html.tpl"), template);
    writeFileSync(join(root, "usr/share/pve-manager/js/proven-host.js"), loader);
    const { stderr } = spawnSync("sh", [patcher, "apply", "--root", root], { encoding: "utf8" });
    if (stderr !== "") throw new Error(stderr);
    return readFileSync(template, "utf8").replace('src="/pve2/js/proven-host.js', `data-gateway="${gateway}" $&`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const pair = (request.headers.cookie ?? "").split(/;\s*/).find((part) => part.startsWith(`${name}=`));
  return pair === undefined ? undefined : decodeURIComponent(pair.slice(name.length + 1));
}

const darkSheet = (media: string) => `<link rel="stylesheet" type="text/css"${media} href="/pwt/themes/theme-proxmox-dark.css">`;

/** As pveproxy's get_index: who is signed in, his language and theme. */
async function render(template: string, request: IncomingMessage, pve: ShellPve): Promise<string> {
  const theme = cookieOf(request, "PVEThemeCookie");
  const user = await pve.userOf(cookieOf(request, "PVEAuthCookie") ?? "");
  const themes: Record<string, string> = { crisp: "", "proxmox-dark": darkSheet("") };
  const values: Record<string, string> = {
    nodename: pve.node,
    lang: cookieOf(request, "PVELangCookie") === "it" ? "it" : "en",
    username: user?.username ?? "",
    token: user?.CSRFPreventionToken ?? "null",
    theme: themes[theme ?? ""] ?? darkSheet(' media="(prefers-color-scheme: dark)"'),
  };
  return template.replace(/\[% (\w+) %\]/g, (_, name: string) => values[name] ?? "");
}

async function answerApi(request: IncomingMessage, response: ServerResponse, path: string, pve: ShellPve): Promise<void> {
  if (path === "/api2/json/access/ticket" && request.method === "POST") {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const form = new URLSearchParams(text);
    const data: LoginData | undefined = await pve.login(form.get("username") ?? "", form.get("password") ?? "");
    return data === undefined
      ? send(response, 401, "text/plain", "")
      : send(response, 200, types[".json"] ?? "application/json", JSON.stringify({ data }));
  }
  const ticket = cookieOf(request, "PVEAuthCookie") ?? "";
  if (path === "/api2/json/access/permissions") return await answerPermissions(request, response, ticket, pve);
  if (path !== "/api2/json/cluster/resources") return send(response, 501, "text/plain", "");
  const data = await pve.resources(ticket);
  if (data === undefined) return send(response, 401, "text/plain", "");
  send(response, 200, "application/json", JSON.stringify({ data }));
}

/** Of one path, as `GET /access/permissions?path=…` answers: the user of the shell may look at guests and open their consoles. */
async function answerPermissions(
  request: IncomingMessage,
  response: ServerResponse,
  ticket: string,
  pve: ShellPve,
): Promise<void> {
  if ((await pve.userOf(ticket)) === undefined) return send(response, 401, "text/plain", "");
  const path = new URL(request.url ?? "/", "http://shell").searchParams.get("path") ?? "/";
  const data = { [path]: { "VM.Audit": 1, "VM.Console": 1 } };
  send(response, 200, "application/json", JSON.stringify({ data }));
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
}

function sendFile(response: ServerResponse, dir: string, path: string): void {
  const root = resolve(dir);
  const full = join(root, path);
  try {
    if (!full.startsWith(root + sep)) throw new Error("outside");
    response.writeHead(200, {
      "Content-Type": types[extname(full)] ?? "application/octet-stream",
      "Cache-Control": "max-age=3600",
    });
    response.end(readFileSync(full));
  } catch {
    send(response, 500, "text/plain", "no such file");
  }
}
