/** Aspect by aspect comparison of file states. Pure; used wherever trees are held against each other. */
import type { FileState, Metadata } from './file-state.ts'
import { equalJson } from './json.ts'

/** `metadata.<field>` names one metadata field. */
export type Aspect = 'existence' | 'content' | 'path' | 'mode' | 'mtime' | `metadata.${string}`

/** Names of the metadata fields whose values differ, sorted. A field that says `null` says what an absent one says. */
export function changedFields(from: Metadata, to: Metadata): string[] {
  const names = new Set([...Object.keys(from), ...Object.keys(to)])
  return [...names]
    .filter((name) => {
      const before = Object.hasOwn(from, name) ? from[name] : null
      const after = Object.hasOwn(to, name) ? to[name] : null
      return !equalJson(before ?? null, after ?? null)
    })
    .sort()
}

/** Whether kind and bytes are the same. */
export function sameContent(left: FileState, right: FileState): boolean {
  return left.kind === right.kind && left.hash === right.hash
}

/** The aspects in which two states differ, `mtime` included. Two absent states differ in nothing. */
export function changedAspects(from: FileState | null, to: FileState | null): Aspect[] {
  if (from === null || to === null) return from === to ? [] : ['existence']
  const aspects: Aspect[] = []
  if (!sameContent(from, to)) aspects.push('content')
  if (from.path !== to.path) aspects.push('path')
  if (from.executable !== to.executable) aspects.push('mode')
  if (from.mtimeUs !== to.mtimeUs) aspects.push('mtime')
  for (const field of changedFields(from.metadata, to.metadata)) aspects.push(`metadata.${field}`)
  return aspects
}

/** Whether two states say the same in everything but the modification time. */
export function equalStates(left: FileState | null, right: FileState | null): boolean {
  return changedAspects(left, right).every((aspect) => aspect === 'mtime')
}
