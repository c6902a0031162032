/** Loaded together when restore tests are looked at. */
import "./proven-proofs.ts";
import "./proven-run.ts";
