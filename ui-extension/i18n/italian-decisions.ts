/** Why an alert is as it is (hub/core/why.ts, alert-steps.ts), how it ended (alert-text.ts), and what a good restore test proved (agent/core/restore/verdict.ts). */
export const italianDecisions: Readonly<Record<string, string>> = {
  "Follows from: {text}": "Segue da: {text}",
  "Nothing holds it back any more": "Niente lo trattiene più",
  "{receiver} is told: {reason}": "{receiver} viene avvisato: {reason}",
  "Maintenance window {name}": "Finestra di manutenzione {name}",
  "Quiet hours of the route {name}": "Ore di silenzio della regola di invio {name}",
  "A maintenance window that opened by itself": "Una finestra di manutenzione aperta da sé",
  "No fresh value: nothing is known, the state stays": "Nessun valore recente: non si sa nulla, lo stato resta",
  "A sample came": "È arrivato un campione",
  "It is {value}, one of the rule's states": "È {value}, uno degli stati della regola",
  "It is {value}, none of the rule's states": "È {value}, nessuno degli stati della regola",
  "{value} is above the trigger (trigger {trigger}, clear {clear})":
    "{value} è sopra la soglia (scatta a {trigger}, finisce a {clear})",
  "{value} is below the trigger (trigger {trigger}, clear {clear})":
    "{value} è sotto la soglia (scatta a {trigger}, finisce a {clear})",
  "{value} is clear of it (trigger {trigger}, clear {clear})": "{value} ne è fuori (scatta a {trigger}, finisce a {clear})",
  "{value} is between clear and trigger (trigger {trigger}, clear {clear}): it goes on":
    "{value} è tra le due soglie (scatta a {trigger}, finisce a {clear}): continua",
  "{value} is between clear and trigger (trigger {trigger}, clear {clear}): it does not begin":
    "{value} è tra le due soglie (scatta a {trigger}, finisce a {clear}): non comincia",
  "The entity is no more": "L'oggetto non c'è più",
  "The rule is about a {kind}": "La regola riguarda: {kind}",
  "The rule's scope does not hold it": "L'ambito della regola non lo comprende",
  "The rule is switched off": "La regola è spenta",
  "Nothing of it was ever sampled": "Non ne è mai stato misurato nulla",
  "{rule}, {name}: {value} again": "{rule}, {name}: di nuovo {value}",
  "{rule}, {name}: {value} again, worst {worst}": "{rule}, {name}: di nuovo {value}, al peggio {worst}",
  "{rule}, {name}: sends again": "{rule}, {name}: invia di nuovo",
  "{rule}, {name}: it is no more": "{rule}, {name}: non c'è più",
  "{rule}, {name}: its rule was changed": "{rule}, {name}: la sua regola è stata cambiata",
  "{rule}, {name}: nobody has told of it for {time}": "{rule}, {name}: nessuno ne parla da {time}",
  "The backup is good: nothing is proven": "Il backup è buono: niente è provato",
  "The backup is good: the backup's bytes are verified": "Il backup è buono: i suoi byte sono verificati",
  "The backup is good: it restores and boots; {text}": "Il backup è buono: si ripristina e si avvia; {text}",
  "The backup is good: it restores, boots and works; {text}": "Il backup è buono: si ripristina, si avvia e funziona; {text}",
  "its bytes were not checked": "i suoi byte non sono stati controllati",
  "its bytes are verified by the Backup Server": "i suoi byte sono verificati dal Backup Server",
  "its bytes are verified by the compressor's checksum": "i suoi byte sono verificati dal checksum del compressore",
  "its bytes are verified by the SHA-256 that was taken after the backup":
    "i suoi byte sono verificati dallo SHA-256 preso dopo il backup",
};
