/** Loaded together when a node, guest or storage is looked at. */
import "./proven-guest.ts";
import "./proven-node.ts";
import "./proven-pool.ts";
import "./proven-storage.ts";
