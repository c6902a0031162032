/** Loaded together when something beside the pages is asked for: search, shortcuts, the wall screen. */
import "./proven-browser.ts";
import "./proven-guest-list.ts";
import "./proven-screen.ts";
import "./proven-search.ts";
import "./proven-shortcuts.ts";
