import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions, Plugin } from "esbuild";

/** Node's own modules, for a look at what they export. */
const builtin = createRequire(import.meta.url);

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** CommonJS packages inside an ES module bundle want `require`. */
const requireBanner = "import{createRequire as provenRequire}from'node:module';const require=provenRequire(import.meta.url);";
/** The same without an `import`, where each costs memory. */
const agentRequire = "const require=process.getBuiltinModule('node:module').createRequire(import.meta.url);";

export const common: BuildOptions = {
  bundle: true,
  sourcemap: "linked",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  absWorkingDir: root,
};
/** Agent and hub. */
export const daemon: BuildOptions = {
  ...common,
  platform: "node",
  format: "esm",
  target: "node20",
  minifySyntax: true,
  minifyWhitespace: true,
  banner: { js: requireBanner },
};

export const browserModule: BuildOptions = {
  ...common,
  platform: "browser",
  format: "esm",
  target: "es2022",
  minify: true,
  loader: { ".css": "text" },
};

/** Zod's messages in fifty languages are a fifth of the bundle; the API speaks English. */
const onlyEnglish: Plugin = {
  name: "only-english",
  setup(build) {
    build.onResolve({ filter: /locales\/index\.js$/ }, ({ importer, resolveDir, path }) =>
      /node_modules\/zod\//.test(importer) ? { path: join(resolveDir, path.replace("index.js", "en.js")) } : undefined,
    );
  },
};

/**
 * lmdb by `require`: as one file of CommonJS it is there 15 ms sooner than as a dozen modules, of 40, which Node looks for one by one. It stays
 * outside the bundle either way.
 */
const lmdbByRequire: Plugin = {
  name: "lmdb-by-require",
  setup(build) {
    const namespace = "lmdb";
    build.onResolve({ filter: /^lmdb$/ }, ({ kind }) =>
      kind === "require-call" ? { path: "lmdb", external: true } : { path: "lmdb", namespace },
    );
    build.onLoad({ filter: /./, namespace }, () => ({ contents: 'export const { open } = require("lmdb");' }));
  },
};

/**
 * What a hub without mail, push, MQTT and a new certificate never loads stands in files of its own. Packages that are CommonJS have only
 * their default export there, as Node itself gives it.
 */
export const hubOptions = {
  ...daemon,
  entryPoints: { hub: join(root, "hub/main.ts") },
  outExtension: { ".js": ".mjs" },
  splitting: true,
  chunkNames: "hub/[name]-[hash]",
  // ssh2's native helpers: it does without them. Its WebAssembly looks for a folder of its own, which modules have under another name.
  external: ["*.node"],
  banner: { js: `${requireBanner}const __dirname=import.meta.dirname;` },
  plugins: [onlyEnglish, lmdbByRequire],
} satisfies BuildOptions;

/**
 * Node's own modules by `require`. An `import` of one asks for everything it exports, what stands behind getters too: of `tls` the text of 140
 * root certificates, of `crypto` all of Web Crypto, which is 1.5 MB of an agent's memory. What nobody uses is left out as of any module.
 */
const builtinsByRequire: Plugin = {
  name: "builtins-by-require",
  setup(build) {
    const namespace = "builtin";
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) => (kind === "require-call" ? undefined : { path, namespace }));
    build.onLoad({ filter: /./, namespace }, ({ path }) => {
      const names = Object.keys(builtin(path)).filter((name) => /^[A-Za-z]\w*$/.test(name) && name !== "default");
      const exported = names.map((name) => `export const ${name} = /* @__PURE__ */ of("${name}");`);
      return { contents: `const all = require("${path}");\nconst of = (name) => all[name];\n${exported.join("\n")}` };
    });
  },
};

/**
 * What an agent needs every ten seconds is one file, with short names: the source stands in its memory for as long as it runs. The rest (the
 * gateway, restore tests, checks) is in files of its own.
 */
export const agentOptions = {
  ...daemon,
  minify: true,
  entryPoints: { agent: join(root, "agent/main.ts") },
  outExtension: { ".js": ".mjs" },
  splitting: true,
  chunkNames: "agent/[name]-[hash]",
  // As for the hub.
  external: ["*.node"],
  banner: { js: `${agentRequire}const __dirname=import.meta.dirname;` },
  plugins: [builtinsByRequire],
} satisfies BuildOptions;

/** The loader. PVE's page runs it as a plain script; `import()` is newer than the rest of what it may use. */
export const hostOptions = {
  ...common,
  sourcemap: false,
  platform: "browser",
  format: "iife",
  target: "es2017",
  supported: { "dynamic-import": true },
  minify: true,
  entryPoints: [join(root, "ui-extension/host.ts")],
} satisfies BuildOptions;
