import { type PushAction, parsePushMessage } from "../core/push-message.ts";

/** Keeps the panel's own files for when there is no hub, and shows its messages. What the hub says is never kept here. */
declare const self: ServiceWorkerGlobalScope;
/** The build fills these in: addresses of the panel's files, and a hash of all of them. */
declare const shellFiles: readonly string[];
declare const shellVersion: string;

const shellCache = `proven-shell-${shellVersion}`;
/** A hub behind a dead network answers nothing at all: the page shouldn't wait for it. */
const pageWaitMs = 4000;

self.addEventListener("install", (event) => event.waitUntil(keepShell()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("fetch", (event) => {
  const answer = answerOf(event.request);
  if (answer !== undefined) event.respondWith(answer);
});
self.addEventListener("push", (event) => event.waitUntil(showMessage(event.data?.text() ?? "")));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(answerClick(event.notification, event.action));
});

async function keepShell(): Promise<void> {
  const cache = await caches.open(shellCache);
  await cache.addAll(["./", ...shellFiles].map((path) => new Request(path, { cache: "reload" })));
}

/** Pages that are open go on with the worker they were loaded by: it has their files. */
async function takeOver(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith("proven-shell-") && name !== shellCache).map((name) => caches.delete(name)),
  );
  await self.clients.claim();
}

/** Undefined: none of the panel's files, so the browser asks as ever. */
function answerOf(request: Request): Promise<Response> | undefined {
  const { origin, pathname, search } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return undefined;
  if (/^\/(api|act|metrics)(\/|$)/.test(pathname)) return undefined;
  if (request.mode === "navigate") return pathname === "/" || pathname === "/index.html" ? freshOrKept(request, "./") : undefined;
  if (search.startsWith("?v=") || pathname.startsWith("/chunks/")) return keptOrFresh(request);
  return shellFiles.includes(pathname.slice(1)) ? freshOrKept(request, request.url) : undefined;
}

/** For what never changes under its name. */
async function keptOrFresh(request: Request): Promise<Response> {
  const cache = await caches.open(shellCache);
  return (await cache.match(request)) ?? fetch(request);
}

async function freshOrKept(request: Request, kept: string): Promise<Response> {
  const cache = await caches.open(shellCache);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(pageWaitMs) });
    if (answer.status < 500) return answer;
    return (await cache.match(kept)) ?? answer;
  } catch {
    return (await cache.match(kept)) ?? Response.error();
  }
}

type NotificationData = { link: string | undefined; actions: PushAction[] };
/** The DOM's types know no actions yet. */
type ShownOptions = NotificationOptions & { actions?: { action: string; title: string }[]; renotify?: boolean };

const italian = () => self.navigator.language.toLowerCase().startsWith("it");
const say = (english: string, inItalian: string) => (italian() ? inItalian : english);
const actionTitles: Record<string, () => string> = {
  acknowledge: () => say("Acknowledge", "Prendi in carico"),
  silence: () => say("Silence 4 h", "Silenzia 4 h"),
};
const look = { icon: "icon-192.png", badge: "badge-96.png" };

/** Always shows something: a browser takes the right to push from who is silent. */
async function showMessage(text: string): Promise<void> {
  const message = parsePushMessage(text);
  if (message === undefined) {
    const body = say("Open the panel to see what it is.", "Apri il pannello per vedere di cosa si tratta.");
    return await self.registration.showNotification(say("A message that can't be read", "Un messaggio illeggibile"), {
      ...look,
      body,
    });
  }
  const { title, body, tag, link, actions, isCritical, isResolved } = message;
  const data: NotificationData = { link, actions };
  const options: ShownOptions = {
    ...look,
    body,
    data,
    actions: actions.map((one) => ({ action: one.action, title: actionTitles[one.action]?.() ?? one.title })),
    requireInteraction: isCritical && !isResolved,
    ...(tag === undefined ? {} : { tag, renotify: true }),
  };
  await self.registration.showNotification(title, options);
}

async function answerClick(notification: Notification, action: string): Promise<void> {
  const { link, actions } = notification.data as NotificationData;
  const chosen = actions?.find((one) => one.action === action);
  if (chosen === undefined) return await openPage(link ?? "./");
  if (!(await actAtOnce(chosen, notification))) await openPage(chosen.url);
}

/**
 * Presses the button of the page that the action leads to: its address allows this one thing. False: it has to be asked on the page itself, as
 * where the hub is reached under another name here, or didn't answer.
 */
async function actAtOnce({ action, url }: PushAction, { title, tag }: Notification): Promise<boolean> {
  if (actionTitles[action] === undefined || new URL(url).origin !== self.location.origin) return false;
  try {
    const answer = await fetch(url, { method: "POST", credentials: "omit", headers: { Accept: "application/json" } });
    if (!answer.ok) return false;
    const { heading } = (await answer.json()) as { heading: string };
    await self.registration.showNotification(heading, { ...look, body: title, silent: true, ...(tag === "" ? {} : { tag }) });
    return true;
  } catch {
    return false;
  }
}

/** An open panel comes to the front and goes there; else a new one opens. */
async function openPage(url: string): Promise<void> {
  const target = new URL(url, self.location.href);
  const windows = await self.clients.matchAll({ type: "window" });
  const open =
    target.origin === self.location.origin && target.pathname === "/"
      ? windows.find((one) => new URL(one.url).pathname === "/")
      : undefined;
  if (open === undefined) return void (await self.clients.openWindow(target.href));
  await open.focus();
  await open.navigate(target.href);
}
