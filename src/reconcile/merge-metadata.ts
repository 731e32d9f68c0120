/** Three-way merge of one metadata field: equal and one-sided changes settle themselves, labels merge as sets. */
import { labelsField, type Metadata } from '../model/file-state.ts'
import { equalJson, type JsonValue } from '../model/json.ts'
import { compareThreeWay, type Verdict } from './three-way.ts'

/** A field's value; `undefined` where the field is absent, which is something else than JSON's null. */
export type FieldValue = JsonValue | undefined

export type FieldMerge =
  | { readonly kind: 'settled'; readonly verdict: Exclude<Verdict, 'clash'>; readonly value: FieldValue }
  | { readonly kind: 'merged'; readonly value: FieldValue }
  /** Changed differently on both sides. */
  | { readonly kind: 'clash' }

export interface FieldSides {
  readonly base: FieldValue
  readonly local: FieldValue
  readonly remote: FieldValue
}

export function mergeField(field: string, sides: FieldSides): FieldMerge {
  const { base, local, remote } = sides
  // An absent field is a value of its own here: what was never there is a base like any other.
  const verdict = compareThreeWay<{ value: FieldValue }>(
    { base: { value: base }, local: { value: local }, remote: { value: remote } },
    (left, right) => equalFields(left.value, right.value),
  )
  if (verdict !== 'clash') {
    return { kind: 'settled', verdict, value: verdict === 'push' ? local : remote }
  }
  const labels = field === labelsField ? mergeSets(sides) : null
  return labels === null ? { kind: 'clash' } : { kind: 'merged', value: labels.value }
}

export function equalFields(left: FieldValue, right: FieldValue): boolean {
  return left === undefined || right === undefined ? left === right : equalJson(left, right)
}

export function fieldOf(metadata: Metadata, field: string): FieldValue {
  return Object.hasOwn(metadata, field) ? metadata[field] : undefined
}

/** Built entry by entry, so that a field named like a member of Object.prototype stays a field. Sorted by name. */
export function metadataOf(fields: ReadonlyMap<string, FieldValue>): Metadata {
  const present = [...fields].filter((entry): entry is [string, JsonValue] => entry[1] !== undefined)
  return Object.fromEntries(present.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)))
}

/**
 * What either side added is in, what either side removed is out; sorted, each once. `null` when a side is no set of
 * strings. A set that became empty is absent when one side has it absent.
 */
function mergeSets(sides: FieldSides): { readonly value: FieldValue } | null {
  const local = stringSet(sides.local)
  const remote = stringSet(sides.remote)
  if (local === null || remote === null) return null
  const base = stringSet(sides.base) ?? new Set()
  const kept = [...new Set([...local, ...remote])].filter((item) =>
    base.has(item) ? local.has(item) && remote.has(item) : true,
  )
  const absent = kept.length === 0 && (sides.local === undefined || sides.remote === undefined)
  return { value: absent ? undefined : kept.sort() }
}

function stringSet(value: FieldValue): ReadonlySet<string> | null {
  if (value === undefined) return new Set()
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) return null
  return new Set(value)
}
