/** Optional fields as options objects take them: absent rather than `undefined`. */

/** An object's fields that have a value. */
export function defined<T extends object>(object: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
}
