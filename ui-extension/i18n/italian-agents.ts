/** Italian texts of the page of agents, by their English ones. */
export const italianAgents: Readonly<Record<string, string>> = {
  Agents: "Agenti",
  Certificate: "Certificato",
  "Its key": "La sua chiave",
  "Last heard": "Ultimo contatto",
  Revoke: "Revoca",
  "Revoke the agent of {node}? Its connection ends, and so does the panel on that node. It is let in again only with a new key: there, remove /var/lib/proven-agent/agent.key and start proven-agent anew.":
    "Revocare l'agente di {node}? La sua connessione finisce, e con essa il pannello su quel nodo. È riammesso solo con una chiave nuova: lì, rimuovi /var/lib/proven-agent/agent.key e riavvia proven-agent.",
  "Revoke {node}": "Revoca {node}",
  Rotate: "Ruota",
  "Rotate the key of {node}": "Ruota la chiave di {node}",
  "Rotate the key of {node}'s agent? It makes a new one and connects with it; the old one lets nobody in any more.":
    "Ruotare la chiave dell'agente di {node}? Ne crea una nuova e si connette con quella; la vecchia non fa più entrare nessuno.",
  "The agent of {node} is revoked.": "L'agente di {node} è revocato.",
  "The agent of {node} was asked for a new key: the audit log says when it is used.":
    "All'agente di {node} è stata chiesta una chiave nuova: il registro di controllo dice quando è usata.",
  Version: "Versione",
  away: "assente",
  silent: "muto",
  revoked: "revocato",
};
