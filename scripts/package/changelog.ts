/** The newest entry of debian/changelog (deb-changelog(5)): the version of everything, and the only time that packages know. */
export type Release = { version: string; at: Date };

/** @throws Error when the first entry is not one. */
export function newestRelease(changelog: string): Release {
  const version = /^proven \(([^)]+)\) /.exec(changelog)?.[1];
  const date = /^ -- .*> {2}(.+)$/m.exec(changelog)?.[1];
  if (version === undefined || date === undefined) throw new Error("debian/changelog does not begin with an entry");
  return { version, at: new Date(date) };
}
