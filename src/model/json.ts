/** Plain JSON, and the one spelling of it that hashes are taken over. */
import { jsonDepthMax } from './limits.ts'

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

/** Why a parsed value is refused wherever it comes from outside; `null` when it is plain JSON as everybody reads it. */
export function unsafeJsonReason(value: unknown, depth = 0): string | null {
  if (depth > jsonDepthMax) return 'it is nested too deeply'
  if (typeof value === 'string') return value.isWellFormed() ? null : 'a text is not well-formed Unicode'
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'a number is out of range'
  if (typeof value !== 'object' || value === null) return null
  if (Array.isArray(value)) {
    for (const item of value) {
      const reason = unsafeJsonReason(item, depth + 1)
      if (reason !== null) return reason
    }
    return null
  }
  for (const key of Object.keys(value)) {
    // An own `__proto__` becomes a prototype as soon as somebody assigns it.
    if (key === '__proto__') return 'a field is called __proto__'
    if (!key.isWellFormed()) return 'a field name is not well-formed Unicode'
    const reason = unsafeJsonReason((value as Record<string, unknown>)[key], depth + 1)
    if (reason !== null) return reason
  }
  return null
}
