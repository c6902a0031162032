#!/bin/sh
# Flags: docs/BENCH.md says what each is for.
# Node gives up rights for another user only where io_uring is off.
export UV_USE_IO_URING=0
exec /usr/bin/node --max-semi-space-size=4 --min-semi-space-size=2 --single-threaded-gc --v8-pool-size=1 /usr/lib/proven/hub.mjs "$@"
