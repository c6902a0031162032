/** Loaded together when restore tests are looked at. */
import "./proven-policies.ts";
import "./proven-proofs.ts";
import "./proven-reports.ts";
import "./proven-run.ts";
