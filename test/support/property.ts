import fc from "fast-check";

/** fast-check, with the seed of `PROVEN_SEED` where a run is to be the same each time (CI); otherwise every run tries other inputs. */
const seed = process.env.PROVEN_SEED;
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

export { fc };
