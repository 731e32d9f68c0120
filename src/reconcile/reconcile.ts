/**
 * The heart: what shall become of one file, given what the workspace holds, what was last agreed on and what is
 * committed. See docs/spec/reconcile.md for the table. Pure: no I/O, no clock, no randomness.
 */
import { changedAspects, sameContent } from '../model/compare-states.ts'
import type { FilePath, FileState } from '../model/file-state.ts'
import { conflictCopyPath } from './aside-name.ts'
import { decideContent } from './decide-content.ts'
import { decideMetadata } from './decide-metadata.ts'
import { decideMode, decidePath } from './decide-path.ts'
import type { ConflictChange, Decision, Notice, RuleId } from './decision.ts'
import { withdrawChanges } from './own-side.ts'
import type { BothSides, ReconcileInput } from './reconcile-input.ts'

export type { ReconcileInput } from './reconcile-input.ts'

/**
 * Never throws, whatever the states are. Acting on the decision and asking again decides nothing more, unless it asks
 * for a merge: then nothing is to be done before that.
 */
export function reconcile(input: ReconcileInput): Decision {
  const { local, remote } = input
  // One id never changes its kind. Should a store say otherwise, what was agreed on tells nothing about this file.
  const synced = agreed(input)
  if (local !== null && remote !== null) {
    if (local.kind !== remote.kind) return replaceKind(input, local, synced, remote)
    return decideAspects(input, { local, synced, remote })
  }
  if (local !== null) return decideMissingRemotely(input, local, synced)
  if (remote !== null) return decideMissingLocally(input, synced, remote)
  return input.synced === null
    ? decided(input, ['R1-clean'], null)
    : { ...decided(input, ['R5-forget'], null), conflicts: closedByDeletion(input) }
}

/** Both sides have it: each aspect by itself. */
function decideAspects(input: ReconcileInput, sides: BothSides): Decision {
  const content = decideContent(input, sides)
  if (content.needsMerge !== null) {
    // Until the merge has been made nothing is decided, the other aspects included: they are decided with it.
    const { id, local, synced, remote } = input
    const { rules, needsMerge } = content
    return { id, rules, local, synced, remote, conflicts: [], notices: [], copy: null, needsMerge }
  }
  const path = decidePath(sides)
  const mode = decideMode(sides)
  const metadata = decideMetadata(input, sides)
  const tree = (of: 'local' | 'remote' | 'synced'): FileState => ({
    path: path.path,
    kind: sides.remote.kind,
    size: content[of].size,
    hash: content[of].hash,
    executable: mode.executable,
    mtimeUs: content[of].mtimeUs,
    metadata: metadata[of],
  })
  const rules = [...content.rules, ...path.rules, ...mode.rules, ...metadata.rules]
  return {
    id: input.id,
    rules: rules.length === 0 ? ['R1-clean'] : [...new Set(rules)],
    local: tree('local'),
    synced: tree('synced'),
    remote: tree('remote'),
    conflicts: [...content.changes, ...metadata.changes],
    notices: [...content.notices, ...path.notices, ...mode.notices, ...metadata.notices].map((notice) => ({
      ...notice,
      path: path.path,
    })),
    copy: content.copied ? copyOf(input, sides.local, path.path) : null,
    needsMerge: null,
  }
}

/** Here, but not committed: it was created here, or deleted elsewhere. */
function decideMissingRemotely(input: ReconcileInput, local: FileState, synced: FileState | null): Decision {
  if (synced === null) return decided(input, ['R2-push'], local)
  if (!sameContent(synced, local)) {
    const detail = 'Deleted elsewhere while it was edited here; the edit wins and is committed anew.'
    return decided(input, ['R7-edit-wins-recommit'], local, [notice('R7-edit-wins-recommit', local, detail)])
  }
  return decideDeletion(input, { deleted: synced, kept: local, rule: 'R3-pull', keptWhere: 'here' })
}

/** Committed, but not here: it was created elsewhere, or deleted here. */
function decideMissingLocally(input: ReconcileInput, synced: FileState | null, remote: FileState): Decision {
  if (synced === null) return decided(input, ['R3-pull'], remote)
  if (!sameContent(synced, remote)) {
    const detail = 'Deleted here while it was edited elsewhere; the edit wins and the file is restored.'
    return decided(input, ['R6-edit-wins-restore'], remote, [notice('R6-edit-wins-restore', remote, detail)])
  }
  return decideDeletion(input, { deleted: synced, kept: remote, rule: 'R2-push', keptWhere: 'elsewhere' })
}

/** One side deleted it and the other did not touch its content: it goes, whatever else was done to it. */
function decideDeletion(
  input: ReconcileInput,
  of: {
    readonly deleted: FileState
    readonly kept: FileState
    readonly rule: RuleId
    readonly keptWhere: 'here' | 'elsewhere'
  },
): Decision {
  const touched = changedAspects(of.deleted, of.kept).some((aspect) => aspect !== 'mtime')
  const rule = touched ? 'R8-deletion-wins' : of.rule
  const detail = `Deleted on one side and only moved or relabelled ${of.keptWhere}; the deletion wins, the content stays in the history.`
  const notices = touched ? [notice(rule, of.kept, detail)] : []
  return { ...decided(input, [rule], null, notices), conflicts: closedByDeletion(input) }
}

/**
 * A file here and a folder's entry there under one id, or the reverse. The committed one stands. An edited local file
 * goes to a file of its own; an entry of a folder has nothing to lose.
 */
function replaceKind(
  input: ReconcileInput,
  local: FileState,
  synced: FileState | null,
  remote: FileState,
): Decision {
  const edited = local.kind === 'file' && (synced === null || !sameContent(synced, local))
  const detail = `A ${remote.kind} took the place of a ${local.kind}.`
  return {
    ...decided(input, ['R16-path-taken'], remote, [notice('R16-path-taken', remote, detail)]),
    copy: edited ? copyOf(input, local, local.path) : null,
  }
}

/** All three trees shall say `state`; this instance's sides in open conflicts are thereby done with. */
function decided(
  input: ReconcileInput,
  rules: readonly RuleId[],
  state: FileState | null,
  notices: readonly Notice[] = [],
): Decision {
  const closed =
    state === null ? [] : input.conflicts.flatMap((conflict) => withdrawChanges(conflict, input.instance.id))
  return {
    id: input.id,
    rules: closed.length === 0 ? rules : [...rules, 'R19-conflict-closed'],
    local: state,
    remote: state,
    synced: state,
    conflicts: closed,
    notices,
    copy: null,
    needsMerge: null,
  }
}

function closedByDeletion(input: ReconcileInput): ConflictChange[] {
  return input.conflicts.map(({ id, aspect }) => ({ change: 'deleted', id, aspect }))
}

function agreed({ local, synced, remote }: ReconcileInput): FileState | null {
  if (synced === null || local?.kind === synced.kind || remote?.kind === synced.kind) return synced
  return local === null && remote === null ? synced : null
}

function copyOf(input: ReconcileInput, state: FileState, beside: FilePath): Decision['copy'] {
  const path = conflictCopyPath(beside, { instance: input.instance.name, now: input.now })
  return { path, state: { ...state, path } }
}

function notice(rule: RuleId, { path }: FileState, detail: string): Notice {
  return { rule, path, detail }
}
