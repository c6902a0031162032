/** Style sheets come as text (esbuild's loader), to be adopted by shadow roots. */
declare module "*.css" {
  const text: string;
  export = text;
}
