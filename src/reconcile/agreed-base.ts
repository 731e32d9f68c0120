/** What is agreed on in part, while something else of the file waits in a conflict. */
import type { FileState, Metadata } from '../model/file-state.ts'
import { equalFields, fieldOf } from './merge-metadata.ts'

/**
 * The base with everything that both sides have alike by now: their name, content, attributes and fields are agreed
 * on, whatever they disagree in. What differs keeps its base, or one side would count as an edit of the other.
 */
export function agreedBase(base: FileState, local: FileState, remote: FileState): FileState {
  if (base.kind !== local.kind || local.kind !== remote.kind) return base
  const content =
    local.hash === remote.hash
      ? {
          hash: remote.hash,
          size: remote.size,
          ...(local.mtimeUs === remote.mtimeUs && { mtimeUs: remote.mtimeUs }),
        }
      : {}
  return {
    ...base,
    ...content,
    ...(local.path === remote.path && { path: remote.path }),
    ...(local.executable === remote.executable && { executable: remote.executable }),
    metadata: agreedFields(base.metadata, local.metadata, remote.metadata),
  }
}

function agreedFields(base: Metadata, local: Metadata, remote: Metadata): Metadata {
  const names = new Set([base, local, remote].flatMap((fields) => Object.keys(fields)))
  const agreed = [...names].sort().flatMap((name) => {
    const [here, there] = [fieldOf(local, name), fieldOf(remote, name)]
    const value = equalFields(here, there) ? there : fieldOf(base, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  // Entry by entry: a field named like a member of Object.prototype stays a field.
  return Object.fromEntries(agreed)
}
