/** A statement that is prepared when it is first asked for, and kept: opening stays quick, and so does each use. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
