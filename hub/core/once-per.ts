/** As `make`, which is asked once for each object: what it found is kept as long as the object itself. */
export function oncePer<Of extends object, Found extends object>(make: (of: Of) => Found): (of: Of) => Found {
  const known = new WeakMap<Of, Found>();
  return (of) => {
    const before = known.get(of);
    if (before !== undefined) return before;
    const found = make(of);
    known.set(of, found);
    return found;
  };
}
