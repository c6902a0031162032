/** The rest of what the hub says of events (hub/core/event-types.ts). Values stay as they are. */
export const italianEvents: Readonly<Record<string, string>> = {
  "Proven hub {version} started": "L'hub di Proven {version} è partito",
  "Proven hub stopped": "L'hub di Proven si è fermato",
  "The hub can't store samples, agents keep them: {problem}":
    "L'hub non può salvare i campioni, gli agenti li tengono: {problem}",
  "No samples from {node} for {time}: what only it knows is unknown":
    "Nessun campione da {node} da {time}: ciò che sa solo lui non è noto",
  "An agent called itself {node} with another key: refused. Revoke the old key if the node was reinstalled":
    "Un agente si è presentato come {node} con un'altra chiave: rifiutato. Revoca la vecchia chiave se il nodo è stato reinstallato",
  "An agent that says it is {node} was refused: {problem}": "Un agente che dice di essere {node} è stato rifiutato: {problem}",
  "Two machines take turns as the agent of {node}, at {addresses}: one has a copy of the other's disk. Remove /var/lib/proven-agent on the copy and let it join":
    "Due macchine si alternano come agente di {node}, a {addresses}: una ha una copia del disco dell'altra. Rimuovi /var/lib/proven-agent sulla copia e falla unire di nuovo",
  "The clock of {node} is {skew} ahead of the hub's": "L'orologio di {node} è avanti di {skew} rispetto all'hub",
  "The clock of {node} is {skew} behind the hub's": "L'orologio di {node} è indietro di {skew} rispetto all'hub",
  "{guest} on {node} is another test guest with a vmid used before":
    "{guest} su {node} è un altro guest di prova con un vmid già usato",
  "{guest} on {node} is another guest with a vmid used before": "{guest} su {node} è un altro guest con un vmid già usato",
  "{task} on {node} failed: {status}": "{task} su {node} fallito: {status}",
  "{task} on {node} ended unseen: its node no longer knows it":
    "{task} su {node} è finito senza testimoni: il suo nodo non lo conosce più",
  "The receiver {receiver} wants nothing more and was disabled: {problem}":
    "Il destinatario {receiver} non vuole più nulla ed è stato disattivato: {problem}",
  'API key "{name}" was created ({scopes})': 'La chiave API "{name}" è stata creata ({scopes})',
  'API key "{name}" was revoked': 'La chiave API "{name}" è stata revocata',
  "A wrong API key came from {address}": "Una chiave API sbagliata è arrivata da {address}",
  "{address} tried too many wrong API keys and must wait": "{address} ha provato troppe chiavi API sbagliate e deve aspettare",
  "Proxmox VE refused to sign {user} in, who came from {address}":
    "Proxmox VE non ha fatto entrare {user}, che veniva da {address}",
  "Restore of {subject} on {node} finished with warnings: {status}":
    "Ripristino di {subject} su {node} finito con avvisi: {status}",
  "Migration of {subject} away from {node} finished with warnings: {status}":
    "Migrazione di {subject} via da {node} finita con avvisi: {status}",
  "A snapshot of {subject} on {node} was made": "È stato fatto uno snapshot di {subject} su {node}",
  "A snapshot of {subject} on {node} was deleted": "È stato eliminato uno snapshot di {subject} su {node}",
  "{subject} on {node} was rolled back to a snapshot": "{subject} su {node} è stato riportato a uno snapshot",
  "{subject} on {node} was cloned after {took}": "{subject} su {node} è stato clonato dopo {took}",
  "{subject} on {node} became a template": "{subject} su {node} è diventato un modello",
  "Restore test of {subject} began on {node}: {backup}": "Prova di ripristino di {subject} iniziata su {node}: {backup}",
  "Restore test of {subject} passed after {took} ({level}): {backup}":
    "Prova di ripristino di {subject} riuscita dopo {took} ({level}): {backup}",
  "Restore test of {subject} failed: {text} ({backup})": "Prova di ripristino di {subject} fallita: {text} ({backup})",
  "Restore test of {subject} came to no verdict ({outcome}): {text}":
    "Prova di ripristino di {subject} senza verdetto ({outcome}): {text}",
  "Restore test of {subject} left something on {node}: {leftovers}":
    "La prova di ripristino di {subject} ha lasciato qualcosa su {node}: {leftovers}",
  "The guest {vmid} on {node} has a number of test guests and is not Proven's: {why}. It was left alone":
    "Il guest {vmid} su {node} ha un numero dei guest di prova e non è di Proven: {why}. Non è stato toccato",
  "The backup {backup} of {subject} can't be verified: {text}": "Il backup {backup} di {subject} non si può verificare: {text}",
  "Proxmox VE notifies ({kind})": "Proxmox VE notifica ({kind})",
};
