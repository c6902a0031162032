export const report = (problem: unknown) => console.warn("Proven:", problem);

/** Runs ours inside theirs: no exception of ours gets out, where it could end a layout or an update of the page half way. */
export const guarded =
  <Args extends unknown[]>(run: (...args: Args) => void) =>
  (...args: Args) => {
    try {
      run(...args);
    } catch (problem) {
      report(problem);
    }
  };
