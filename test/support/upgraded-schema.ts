import { seriesSchema, seriesVersion } from "../../hub/store/migration.ts";
import type { RolledStore } from "../../hub/store/rollback.ts";
import type { SeriesEnv } from "../../hub/store/series-env.ts";
import type { StoreSchema } from "../../hub/store/upgrade.ts";

/** A schema two versions after this program's, each step with two writes. `step` is called between and after them. */
export function upgradedSchema(step: () => void = () => undefined): StoreSchema<SeriesEnv> {
  const { version, migrations } = seriesSchema;
  const writes = (first: (env: SeriesEnv) => void, second: (env: SeriesEnv) => void) => (env: SeriesEnv) => {
    first(env);
    step();
    second(env);
    step();
  };
  const count = (env: SeriesEnv) => env.catalogue.getKeysCount({ start: "entity ", end: "entity ~" });
  return {
    version: version + 2,
    migrations: [
      ...migrations,
      {
        from: version,
        what: "count entities",
        run: writes(
          (env) => env.meta.putSync("entities", count(env)),
          (env) => env.meta.putSync("tenfold", count(env) * 10),
        ),
      },
      {
        from: version + 1,
        what: "hundredfold",
        run: writes(
          (env) => env.meta.putSync("hundredfold", (env.meta.get("tenfold") as number) * 10),
          (env) => env.meta.removeSync("tenfold"),
        ),
      },
    ],
  };
}

/** A series store as this program's `store rollback` sees it. */
export const rolledSeries = (dir: string): RolledStore => ({ name: "series", dir, schema: seriesSchema, version: seriesVersion });
