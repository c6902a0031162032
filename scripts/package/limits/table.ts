/** How a value is written. `count`: a plain number. */
export type Unit = "bytes" | "ms" | "sec" | "count" | "per second" | "per minute" | "chars";

/** One bound: what is bounded, where its constant is, and what happens beyond. */
export type Limit = { what: string; unit: Unit; file: string; name: string; beyond: string };
export type Section = { title: string; limits: readonly Limit[] };

const in_ =
  (file: string) =>
  (what: string, name: string, unit: Unit, beyond: string): Limit => ({ what, unit, file, name, beyond });

const link = in_("protocol/limits.ts");
const server = in_("hub/https-server.ts");
const gateway = in_("agent/gateway/server.ts");
const gatewayBounds = in_("agent/gateway/bounds.ts");
const loginGuard = in_("hub/core/login-guard.ts");
const ageing = in_("hub/core/tier.ts");

/** Every bound that an administrator can meet, by the part that holds it. Settings with a range of their own are in the configurations' manual pages. */
export const sections: readonly Section[] = [
  {
    title: "The link between agents and hub",
    limits: [
      link("one WebSocket message", "limits.messageMaxBytes", "bytes", "the connection ends with code 1009"),
      link("series of one agent", "limits.seriesPerAgent", "count", "the schema is refused and the agent told so"),
      link("records on their way without an acknowledgement", "limits.unackedRecords", "count", "the agent waits"),
      link(
        "namespaces of one datastore that are read and listed",
        "limits.namespacesPerDatastore",
        "count",
        "the others are not looked at, and nothing is taken for gone there",
      ),
      in_("hub/link/record-intake.ts")(
        "records that one session may have under way",
        "inFlightMax",
        "count",
        "refused as `rate-limited`, and the session ends",
      ),
      link(
        "control messages of one agent",
        "limits.messagesPerMinute",
        "per minute",
        "refused as `rate-limited`, and the session ends",
      ),
      link(
        "messages that make no sense, in one session",
        "limits.problemsPerSession",
        "count",
        "the session ends; it may reconnect",
      ),
      link("time from the challenge to the hello", "limits.helloWithinMs", "ms", "the session ends"),
      in_("hub/link/server.ts")("sessions", "sessionsMax", "count", "503 before the upgrade"),
      in_("hub/link/server.ts")("bytes queued for an agent that doesn't read", "queuedMax", "bytes", "the session ends"),
      link("difference of clocks", "limits.clockSkewMs", "ms", "is shown; nothing is corrected silently"),
      link("age of a node's newest sample", "limits.staleAfterMs", "ms", "the node, and what only it reports, is unknown"),
    ],
  },
  {
    title: "The hub's port",
    limits: [
      server("connections", "serverBounds.total", "count", "closed before TLS"),
      server(
        "connections from one address (IPv6: one /64)",
        "serverBounds.perPlace",
        "count",
        "closed before TLS; others are served on",
      ),
      server("time for the TLS handshake", "serverBounds.handshakeMs", "ms", "closed"),
      server("time for a request's headers", "serverBounds.headersMs", "ms", "408, closed"),
      server("time for a whole request", "serverBounds.requestMs", "ms", "408, closed"),
      server("header lines", "server.maxHeadersCount", "count", "the others are not read"),
      in_("hub/http/app.ts")("body of a request to the API", "bodyMax", "bytes", "413"),
      in_("hub/core/limits.ts")(
        "requests of one key or session, lasting",
        "requestRate.perSec",
        "per second",
        "429 with Retry-After",
      ),
      in_("hub/core/limits.ts")("requests of one key or session, at once", "requestRate.burst", "count", "429 with Retry-After"),
      in_("hub/http/stream.ts")("live streams", "clientsMax", "count", "503 `overloaded`"),
      in_("hub/http/stream.ts")("live streams of one key or user", "clientsPerCaller", "count", "503 `overloaded`"),
      in_("hub/http/stream.ts")(
        "bytes queued for one live stream",
        "queuedMax",
        "bytes",
        "the stream ends; the panel comes again",
      ),
      in_("hub/http/gateway.ts")(
        "requests forwarded by one agent's gateway, remembered against repetition",
        "nonceBounds.perAgent",
        "count",
        "503 `overloaded`, for that gateway",
      ),
      in_("hub/http/gateway.ts")(
        "requests forwarded by all gateways, remembered",
        "nonceBounds.total",
        "count",
        "503 `overloaded`, for gateways with more than their share",
      ),
    ],
  },
  {
    title: "Signing in",
    limits: [
      in_("hub/core/limits.ts")(
        "wrong keys, or refused hellos, from one address within a minute",
        "loginLock.failures",
        "count",
        "that address is locked",
      ),
      in_("hub/core/limits.ts")("time for which it is locked", "loginLock.lockMs", "ms", "after it, anew"),
      loginGuard(
        "wrong passwords of one user from one address",
        "backoffRules.pair.free",
        "count",
        "waits, twice as long each time",
      ),
      loginGuard("longest wait of one user from one address", "backoffRules.pair.maxMs", "ms", "429 with Retry-After"),
      loginGuard(
        "wrong passwords of one user from anywhere",
        "backoffRules.user.free",
        "count",
        "waits, twice as long each time",
      ),
      loginGuard(
        "longest wait of one user",
        "backoffRules.user.maxMs",
        "ms",
        "429; short, or a stranger could keep somebody out",
      ),
      loginGuard(
        "wrong passwords from one address",
        "backoffRules.address.free",
        "count",
        "waits, but not for who got in from there",
      ),
      loginGuard("longest wait of one address", "backoffRules.address.maxMs", "ms", "429 with Retry-After"),
      in_("hub/http/login-guard.ts")("attempts under way", "underWayMax", "count", "429"),
      in_("hub/http/login-guard.ts")("attempts under way from one address", "perAddressMax", "count", "429"),
      in_("hub/http/pve-logins.ts")("sessions with Proxmox VE's accounts", "sessionsMax", "count", "the oldest is signed out"),
      in_("hub/http/pve-logins.ts")(
        "sign-ins that wait for a second factor",
        "challengesMax",
        "count",
        "the oldest has to begin anew",
      ),
    ],
  },
  {
    title: "Queries",
    limits: [
      in_("protocol/api.ts")(
        "series of one query",
        "seriesPerQueryMax",
        "count",
        "400; ask in several queries, or `series/group`",
      ),
      in_("protocol/api.ts")("points of one answer", "pointsMax", "count", "413 `too-large`"),
      in_("hub/core/query-cost.ts")(
        "samples that one request may have decoded",
        "decodedMax",
        "count",
        "413 `too-large`: a shorter range, or a longer step",
      ),
      in_("hub/core/query-class.ts")(
        "series of a class that one request is about",
        "classSeriesMax",
        "count",
        "413 `too-large`: filter",
      ),
      in_("hub/core/query.ts")("range", "rangeMaxMs", "ms", "413 `too-large`"),
      in_("protocol/class-queries.ts")("rows of a top list", "topMax", "count", "400"),
      in_("protocol/class-queries.ts")("groups of one answer", "groupsMax", "count", "413 `too-large`: filter"),
      in_("hub/http/rule-routes.ts")("range of a back-test", "backtestMaxMs", "ms", "400"),
      in_("hub/alerting/backtest-run.ts")("entities of a back-test", "subjectsMax", "count", "the others are named as skipped"),
    ],
  },
  {
    title: "The hub's stores",
    limits: [
      ageing("age of samples as they came", "rawKeptMs", "ms", "removed, once their day is rolled up"),
      ageing("age of quarter-hours' minima, means, maxima", "rollupKeptMs", "ms", "removed"),
      in_("hub/core/forgetting.ts")(
        "leap of the clock that counts at once",
        "toleratedMs",
        "ms",
        "a longer one must stand for a 16th of it, 1 to 72 h, before anything is too old",
      ),
      in_("hub/proof/run-book.ts")("age of restore tests and their evidence", "runsKeptMs", "ms", "removed"),
      in_("hub/alerting/delivery-log.ts")("deliveries that are over", "keptMax", "count", "the oldest are removed"),
      in_("hub/alerting/delivery-log.ts")("age of deliveries", "keptMs", "ms", "removed"),
      in_("hub/store/commit.ts")("samples that wait for a commit", "batchBytesMax", "bytes", "committed at once"),
      in_("hub/store/decoded.ts")("blocks kept decoded", "bytesMax", "bytes", "the longest unused are decoded anew"),
      in_("hub/store/state.ts")("documents kept parsed", "recalledMax", "count", "the oldest are parsed anew"),
      in_("hub/store/upgrade.ts")(
        "room beside the copy before an upgrade",
        "reserveBytes",
        "bytes",
        "the hub doesn't start, and says how much it takes",
      ),
    ],
  },
  {
    title: "Messages and what the hub asks of others",
    limits: [
      in_("hub/core/delivery.ts")(
        "attempts that are kept of one message",
        "attemptsMax",
        "count",
        "the first and the newest stay",
      ),
      in_("hub/core/delivery.ts")("wait between two attempts", "delayMaxMs", "ms", "no longer"),
      in_("hub/core/delivery.ts")("wait that a receiver may ask for", "retryAfterMaxMs", "ms", "asked again then"),
      in_("hub/core/notification.ts")("alerts listed in one message", "listedMax", "count", "the others are counted"),
      in_("hub/senders/channel.ts")("time for a receiver's answer", "timeoutMs", "ms", "tried again later"),
      in_("hub/senders/channel.ts")("bytes read of a receiver's answer", "answerMaxBytes", "bytes", "the rest is not read"),
      in_("hub/outgoing.ts")("redirects", "redirectsMax", "count", "refused"),
      in_("hub/mqtt/outbox.ts")("events that wait for the broker", "eventsMax", "count", "the oldest are left out"),
      in_("hub/senders/remote-read.ts")(
        "answer of another time series database",
        "answerMaxBytes",
        "bytes",
        "the query fails with that reason",
      ),
    ],
  },
  {
    title: "The agent's gateway",
    limits: [
      gatewayBounds("connections", "connectionsMax", "count", "closed"),
      gatewayBounds("connections from one address", "connectionsPerAddress", "count", "closed before TLS; others are served on"),
      gatewayBounds("time for the TLS handshake", "slowest.handshakeTimeout", "ms", "closed"),
      gatewayBounds("time for a request's headers", "slowest.headersTimeout", "ms", "408, closed"),
      gatewayBounds("time for a whole request", "slowest.requestTimeout", "ms", "408, closed"),
      gateway("body of a request", "bodyMaxBytes", "bytes", "413"),
      gateway("requests from one address, lasting", "perAddress.perSec", "per second", "429 with Retry-After"),
      gateway("requests from one address, at once", "perAddress.burst", "count", "429 with Retry-After"),
      gateway("refused tickets from one address, lasting", "perStranger.perSec", "per second", "429 with Retry-After"),
      gateway("refused tickets from one address, at once", "perStranger.burst", "count", "429 with Retry-After"),
      in_("agent/gateway/viewers.ts")("tickets remembered", "ticketsMax", "count", "asked of Proxmox VE anew"),
      in_("agent/gateway/viewers.ts")("tickets being checked", "checksMax", "count", "429"),
      in_("agent/gateway/logins.ts")(
        "sessions of people signed in at the hub",
        "sessionsMax",
        "count",
        "the oldest is signed out",
      ),
      in_("agent/gateway/hub-client.ts")("time for the hub's answer", "answerWithinMs", "ms", "503: the hub doesn't answer"),
    ],
  },
  {
    title: "The agent: what it keeps and what it reads",
    limits: [
      link("time that samples are kept for a hub that is away", "limits.spoolMaxSec", "sec", "the oldest are lost, and counted"),
      link("bytes of samples kept for a hub that is away", "limits.spoolMaxBytes", "bytes", "the oldest are lost, and counted"),
      in_("agent/spool-store.ts")("of them in memory", "spoolTiming.memoryMaxBytes", "bytes", "written to the disk at once"),
      in_("agent/core/spool.ts")(
        "of them in memory when the disk refuses",
        "spoolBounds.maxMemoryBytes",
        "bytes",
        "the oldest are lost, and counted",
      ),
      in_("agent/outlet.ts")(
        "alerts that wait for hooks or mail",
        "waitingMax",
        "count",
        "the oldest are left out, and the journal says so",
      ),
      in_("agent/sources/metrics-line.ts")(
        "pvestatd's line of metrics",
        "lineMaxBytes",
        "bytes",
        "the rest is not read, and the line is of no use",
      ),
      in_("agent/pve/api.ts")("answer of the local API", "bodyMaxBytes", "bytes", "the call fails with that reason"),
      in_("agent/pve/api.ts")(
        "time for an answer of the local API",
        "callTimeoutMs",
        "ms",
        "the call fails; a task that was started is looked for",
      ),
      in_("agent/pbs/client.ts")("listing of a Backup Server", "listMaxBytes", "bytes", "the datastore counts as not read"),
      in_("agent/facts.ts")("inventory", "inventoryMaxBytes", "bytes", "details are left out, and it says so"),
      in_("agent/core/backup-parts.ts")("backups in one message", "partMaxBackups", "count", "more messages"),
    ],
  },
  {
    title: "Restore tests",
    limits: [
      in_("hub/core/run-limit.ts")(
        "runs ordered by hand about one guest that go on",
        "openByHandMax",
        "count",
        "409: wait for them, or cancel some",
      ),
      in_("hub/core/run-limit.ts")("the same in a day", "byHandPerDayMax", "count", "429 with Retry-After"),
      in_("hub/core/run-node.ts")("operations that one node is given", "perNodeMax", "count", "the others wait"),
      in_("agent/restore/operations.ts")("operations that wait on a node", "waitingMax", "count", "refused as `busy`"),
      in_("agent/restore/journal.ts")(
        "journal of one operation",
        "journalMaxBytes",
        "bytes",
        "only what cleaning up needs is written",
      ),
      in_("agent/restore/journal.ts")("age of journals", "keptMs", "ms", "removed"),
      in_("agent/restore/steps/screenshot.ts")("screenshot", "maxBytes", "bytes", "made smaller until it fits"),
      in_("agent/checks/probes/web.ts")("page of a guest that is checked", "bodyMaxBytes", "bytes", "the rest is not read"),
      in_("agent/checks/guest-commands.ts")("output of a command in a guest", "outputMaxChars", "chars", "the rest is not read"),
    ],
  },
  {
    title: "What systemd allows",
    limits: [
      in_("systemd/proven-hub.service")(
        "the hub's memory",
        "MemoryHigh",
        "bytes",
        "the kernel takes pages back and slows it down",
      ),
      in_("systemd/proven-hub.service")(
        "the hub's memory, at last",
        "MemoryMax",
        "bytes",
        "killed, and started again; nothing acknowledged is lost",
      ),
      in_("systemd/proven-hub.service")("the hub's threads and processes", "TasksMax", "count", "a new one fails"),
      in_("systemd/proven-hub.service")("the hub's open files", "LimitNOFILE", "count", "a new connection fails"),
      in_("systemd/proven-hub.service")(
        "time without a turn of the hub's event loop",
        "WatchdogSec",
        "sec",
        "killed, and started again",
      ),
      in_("systemd/proven-agent.service")(
        "the agent's memory",
        "MemoryHigh",
        "bytes",
        "the kernel takes pages back and slows it down",
      ),
      in_("systemd/proven-agent.service")("the agent's threads and processes", "TasksMax", "count", "a new one fails"),
      in_("systemd/proven-agent.service")(
        "time without a turn of the agent's event loop",
        "WatchdogSec",
        "sec",
        "killed, and started again",
      ),
    ],
  },
];
