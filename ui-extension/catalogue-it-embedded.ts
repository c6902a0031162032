/** Italian texts of what stands in Proxmox VE's own page, by their English ones. Apart, because the marks carry these only. */
export const italianEmbedded: Readonly<Record<string, string>> = {
  "1 open alert": "1 allarme aperto",
  "Asking …": "Richiesta in corso …",
  "No restore proof yet": "Nessuna prova di ripristino finora",
  "Not signed in to Proxmox VE": "Accesso a Proxmox VE non effettuato",
  "On this node: systemctl status proven-agent": "Su questo nodo: systemctl status proven-agent",
  "Open Proven": "Apri Proven",
  "Proven's gateway on this node doesn't answer. Nothing is lost: agents keep their samples.":
    "Il gateway di Proven su questo nodo non risponde. Nulla va perso: gli agenti conservano i campioni.",
  "Proven: no restore proof yet": "Proven: nessuna prova di ripristino finora",
  "Proven: open critical alert": "Proven: allarme critico aperto",
  "Proven: open warning": "Proven: avviso aperto",
  "Proven: unknown": "Proven: sconosciuto",
  "Sign in to Proxmox VE on this page; this goes on by itself.": "Accedi a Proxmox VE in questa pagina; qui si prosegue da solo.",
  "Unknown: Proven doesn't know this guest, or you may not see it":
    "Sconosciuto: Proven non conosce questo guest, o non puoi vederlo",
  "Unknown: Proven doesn't let you in": "Sconosciuto: Proven non ti lascia entrare",
  "Unknown: Proven's gateway or hub doesn't answer": "Sconosciuto: il gateway o l'hub di Proven non risponde",
  "no open alert": "nessun allarme aperto",
  "{all}, {critical} critical": "{all}, di cui critici: {critical}",
  "{n} open alerts": "{n} allarmi aperti",
};
