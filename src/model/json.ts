/** Plain JSON, and the one spelling of it that hashes are taken over. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [key: string]: JsonValue }

/**
 * The canonical spelling of a JSON value: object keys sorted by UTF-16 code unit, no white space. Two equal values
 * have one spelling, on every instance (RFC 8785 for the values that occur here).
 */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => canonicalJson(item)).join(',')}]`
  const object = value as JsonObject
  const fields = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] as JsonValue)}`)
  return `{${fields.join(',')}}`
}

/** Whether two JSON values say the same; the order of object keys does not count. */
export function equalJson(left: JsonValue, right: JsonValue): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right)
}
