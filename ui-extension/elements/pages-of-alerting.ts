/** Loaded together when alerts, or what makes them, are looked at. */
import "./proven-alerts.ts";
import "./proven-event-log.ts";
import "./proven-open-alerts.ts";
import "./proven-routes.ts";
import "./proven-rule.ts";
import "./proven-rules.ts";
import "./proven-silences.ts";
import "./proven-why.ts";
