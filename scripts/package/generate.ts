import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as z from "zod";
import { makeConfigSchema as makeAgentSchema } from "../../agent/config.ts";
import { configSchema as hubSchema } from "../../hub/config.ts";
import { newestRelease } from "./changelog.ts";
import { type ConfigFile, configManual, configText } from "./config-text.ts";
import { copyrightText } from "./copyright.ts";
import { bundledLibraries } from "./libraries.ts";
import { limitsPath, limitsText } from "./limits/text.ts";
import { schemaKeys } from "./schema-keys.ts";
import { agentSettingTexts, hubSettingTexts } from "./setting-texts.ts";

/**
 * `node --import tsx scripts/package/generate.ts`: writes what in debian/ follows from elsewhere: commented configurations and their manual
 * pages from the schemas, the copyright file from the bundled libraries; and docs/LIMITS.md. A test says when it has to run.
 */
const root = fileURLToPath(new URL("../../", import.meta.url));

/** The hub looks for its panel beside itself: as installed, that is here. */
const installedPanel = JSON.stringify("/usr/lib/proven/panel");

const configFiles = (): ConfigFile[] => [
  { name: "agent.toml", daemon: "proven-agent", keys: schemaKeys(makeAgentSchema()), texts: agentSettingTexts },
  {
    name: "hub.toml",
    daemon: "proven-hub",
    keys: schemaKeys(hubSchema satisfies z.ZodType).map((key) =>
      key.path === "panel" ? { ...key, standard: installedPanel } : key,
    ),
    texts: hubSettingTexts,
  },
];

/** All of it by its path below the project's folder. */
export async function generatedFiles(): Promise<Map<string, string>> {
  const { version, at } = newestRelease(readFileSync(join(root, "debian/changelog"), "utf8"));
  const files = new Map<string, string>();
  for (const file of configFiles()) {
    files.set(`debian/conf/${file.name}`, configText(file));
    files.set(`debian/man/${file.daemon}.toml.5`, configManual(file, { version, date: at.toISOString().slice(0, 10) }));
  }
  files.set("debian/copyright", copyrightText(await bundledLibraries()));
  files.set(limitsPath, limitsText());
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of await generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(path);
  }
}
