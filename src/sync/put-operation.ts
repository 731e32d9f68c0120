/** Operations of the chain made from states. Pure. */

import type { Before, Operation } from '../model/changeset.ts'
import { changedFields, sameContent } from '../model/compare-states.ts'
import type { FileId, FileState } from '../model/file-state.ts'

/** `live` is the file's present state in the remote tree, `null` when it has none. */
export function putOperation(id: FileId, live: FileState | null, after: FileState): Operation {
  return { kind: 'put', id, before: live === null ? null : changedPart(live, after), after }
}

/** The fields of `from` that `to` changes, with the values they had. */
export function changedPart(from: FileState, to: FileState): Before {
  return {
    ...(from.path === to.path ? {} : { path: from.path }),
    ...(from.kind === to.kind ? {} : { kind: from.kind }),
    ...(sameContent(from, to) ? {} : { size: from.size, hash: from.hash }),
    ...(from.executable === to.executable ? {} : { executable: from.executable }),
    ...(from.mtimeUs === to.mtimeUs ? {} : { mtimeUs: from.mtimeUs }),
    ...(changedFields(from.metadata, to.metadata).length === 0 ? {} : { metadata: from.metadata }),
  }
}
