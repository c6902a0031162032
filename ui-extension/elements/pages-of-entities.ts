/** Loaded together when a node, its agent, a guest or a storage is looked at. */
import "./proven-agents.ts";
import "./proven-guest.ts";
import "./proven-node.ts";
import "./proven-pool.ts";
import "./proven-storage.ts";
