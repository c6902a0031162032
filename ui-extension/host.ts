import { guarded, report } from "./host/guard.ts";
import type {
  Component,
  ConfigPanel,
  Host,
  Marks,
  MarksModule,
  PageGlobals,
  PanelModule,
  ResourceTree,
  SummaryPanel,
} from "./host/page.ts";

/**
 * The loader: a classic script that Proxmox VE's page runs right after its own classes are defined and before anything of them is made. It adds
 * the tab, and loads everything else from the agent's gateway when it is looked at. Whatever fails here leaves the page as if we weren't there.
 */

const { Ext, PVE, Proxmox } = window as PageGlobals;
const script = document.currentScript as HTMLScriptElement | null;

/** Where the tab stands; other panels of this kind (pools, networks) have no page of ours. */
const levels = ["PVE.dc.Config", "PVE.node.Config", "PVE.qemu.Config", "PVE.lxc.Config", "PVE.storage.Browser"];

/** The same host as typed by the user: the cookie goes to no other name. The tag says another port; the shell for tests another address. */
const gateway = script?.dataset.gateway || `https://${location.hostname}:${script?.dataset.port || 8421}`;
const version = /[?&]ver=([^&]*)/.exec(script?.src ?? "")?.[1] ?? "";

const host: Host = {
  gateway,
  user: () => Proxmox?.UserName || undefined,
  csrf: () => Proxmox?.CSRFPreventionToken || "",
  language: `${Proxmox?.defaultLang || "en"}`,
};

const italian = host.language.slice(0, 2) === "it";
const say = (english: string, inItalian: string) => (italian ? inItalian : english);

let attempt = 0;

/** A module of the gateway. Browsers remember a failed address, so each attempt has its own once one has failed. */
function load<Module>(name: string): Promise<Module> {
  const suffix = attempt > 0 ? `&try=${attempt}` : "";
  return import(`${gateway}/panel/${name}.js?ver=${version}${suffix}`).catch((problem) => {
    attempt++;
    throw problem;
  });
}

/** Ways to unmount what is on the page now. */
const unmounts = new WeakMap<Component, () => void>();

/** The card's body, while it is on the page. */
const bodyOf = (card: Component) => {
  const body = card.el?.dom;
  return card.destroyed || !body?.isConnected ? undefined : body;
};

function showPanel(card: Component): void {
  const body = bodyOf(card);
  if (body === undefined) return;
  body.style.overflow = "auto";
  body.textContent = say("Loading …", "Caricamento …");
  load<PanelModule>("host-panel")
    .then(({ mount }) => {
      if (bodyOf(card) === undefined) return;
      body.textContent = "";
      unmounts.set(card, mount(body, host, card.pveSelNode?.data ?? {}));
    })
    .catch((problem) => explain(card, problem))
    .catch(report);
}

/** Says why there is no panel. An unreachable gateway and an unknown certificate are one and the same TypeError to a script. */
async function explain(card: Component, problem: unknown): Promise<void> {
  report(problem);
  const status = await fetch(`${gateway}/panel/host-panel.js`, { cache: "no-store" }).then(
    (answer) => answer.status,
    () => 0,
  );
  const body = bodyOf(card);
  if (body === undefined) return;
  if (status === 204) {
    body.textContent = say(
      "Proven is switched off on this node (/etc/proven/ui-disabled).",
      "Proven è disattivato su questo nodo (/etc/proven/ui-disabled).",
    );
    return;
  }
  const page = document.createElement("div");
  page.style.cssText = "padding:20px;max-width:620px;line-height:1.6";
  const part = (tag: string, text: string) =>
    page.appendChild(document.createElement(tag)).appendChild(document.createTextNode(text));
  if (status > 0) {
    part("h2", say("The panel can't be shown", "Il pannello non può essere mostrato"));
    part("p", `HTTP ${status}, ${problem}`);
  } else {
    part("h2", say("Proven's gateway on this node can't be reached", "Il gateway di Proven su questo nodo non è raggiungibile"));
    part(
      "p",
      say(
        "Either your browser doesn't know its certificate yet: open the link and accept it, it is Proxmox VE's own. Or proven-agent doesn't run, or a firewall closes the port.",
        "O il browser non conosce ancora il suo certificato: apri il collegamento e accettalo, è quello di Proxmox VE. Oppure proven-agent non è in esecuzione, o un firewall chiude la porta.",
      ),
    );
    const link = page.appendChild(document.createElement("a"));
    link.href = link.textContent = `${gateway}/`;
    link.target = "_blank";
    link.rel = "noopener";
    link.style.color = "inherit";
  }
  const retry = page.appendChild(document.createElement("p")).appendChild(document.createElement("button"));
  retry.textContent = say("Try again", "Riprova");
  retry.onclick = guarded(() => showPanel(card));
  body.replaceChildren(page);
  body.style.color = "var(--pwt-text-color,#000)";
}

const closeCard = guarded((card: Component) => {
  unmounts.get(card)?.();
  unmounts.delete(card);
});

/** The tab right after Summary: the first tab stays the default one. A user without rights has no Summary; there it is the last. */
const insertTab = guarded((panel: ConfigPanel) => {
  const { items, $className = "" } = panel;
  if (levels.indexOf($className) < 0 || !Array.isArray(items) || items.length === 0) return;
  const at = (id: string) => items.findIndex((item) => item?.itemId === id);
  if (at("proven") >= 0) return;
  items.splice(at("summary") + 1 || items.length, 0, {
    itemId: "proven",
    title: "Proven",
    iconCls: "fa fa-shield",
    xtype: "component",
    listeners: { afterrender: guarded(showPanel), beforedestroy: closeCard },
  });
});

let tree: ResourceTree | undefined;
let marks: Promise<Marks> | undefined;

/** Loads the marks once; after a failure the next Summary tries again. */
function withMarks(use: (marks: Marks) => void): void {
  marks ??= load<MarksModule>("host-marks").then(({ marksOf }) => {
    const loaded = marksOf(host);
    if (tree !== undefined) loaded.onTree(tree);
    return loaded;
  });
  marks.then(use).catch((problem) => {
    marks = undefined;
    report(problem);
  });
}

const start = guarded(() => {
  if (/[?&]proven=0(&|$)/.test(location.search)) return;
  const Config = PVE?.panel?.Config?.prototype;
  const initComponent = Config?.initComponent;
  if (Config === undefined || typeof initComponent !== "function" || typeof Ext?.app?.Controller !== "function") return;
  // The wrapped one's callParent finds its own function; ours, being strict, could not call it.
  Config.initComponent = function (this: ConfigPanel, ...args: unknown[]) {
    insertTab(this);
    return initComponent.apply(this, args);
  };
  new Ext.app.Controller({ id: "proven" }).control({
    pveGuestSummary: { afterrender: guarded((panel: SummaryPanel) => withMarks((loaded) => loaded.onSummary(panel))) },
    treepanel: {
      afterrender: guarded((panel: ResourceTree) => {
        if (panel.$className !== "PVE.tree.ResourceTree") return;
        tree = panel;
        withMarks(() => {});
      }),
    },
  });
});

start();
