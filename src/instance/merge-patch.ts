/** JSON Merge Patch (RFC 7396). Pure. */
import type { JsonObject, JsonValue } from '../model/json.ts'

/** `null` in the patch removes a field; objects merge; everything else replaces. */
export function mergePatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch
  const merged = new Map<string, JsonValue>(isObject(target) ? Object.entries(target) : [])
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) merged.delete(field)
    else merged.set(field, mergePatch(merged.get(field) ?? null, value))
  }
  return Object.fromEntries(merged)
}

function isObject(value: JsonValue): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
