/** The measures of PDF's own fonts, which @types/pdfmake leaves out. */
declare module "pdfmake/build/standard-fonts/Helvetica.js" {
  import type { TFontContainer } from "pdfmake/interfaces.js";

  const fonts: TFontContainer;
  export = fonts;
}
