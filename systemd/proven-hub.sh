#!/bin/sh
# Flags: docs/BENCH.md says what each is for.
exec /usr/bin/node --max-semi-space-size=4 --min-semi-space-size=2 --single-threaded-gc --v8-pool-size=1 --interrupt-budget=600000 /usr/lib/proven/hub.mjs "$@"
