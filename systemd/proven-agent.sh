#!/bin/sh
# Flags: docs/BENCH.md says what each is for.
# Node gives up rights for another user only where io_uring is off.
export UV_USE_IO_URING=0
exec /usr/bin/node --max-semi-space-size=1 --max-old-space-size=24 --single-threaded --v8-pool-size=0 /usr/lib/proven/agent.mjs "$@"
