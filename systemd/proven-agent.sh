#!/bin/sh
# Flags: docs/BENCH.md says what each is for.
exec /usr/bin/node --max-semi-space-size=1 --max-old-space-size=24 --single-threaded --v8-pool-size=0 --no-sparkplug --max-inlined-bytecode-size-cumulative=100 /usr/lib/proven/agent.mjs "$@"
