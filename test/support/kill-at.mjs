import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** Loaded before a real agent (`--import`): kill -9 of itself right after the n-th write that it has made durable. */
let left = Number(process.env.PROVEN_TEST_KILL_AT ?? "0");
const real = fs.fsyncSync;
fs.fsyncSync = (file) => {
  real(file);
  left--;
  if (left === 0) process.kill(process.pid, "SIGKILL");
};
syncBuiltinESMExports();
