/** The metadata of a file that both sides have, field by field; only the field that clashes waits in a conflict. */
import type { FileState, Metadata } from '../model/file-state.ts'
import { equalJson } from '../model/json.ts'
import { valueContent } from './conflict-id.ts'
import type { ConflictChange, Notice, RuleId } from './decision.ts'
import { type FieldSides, type FieldValue, fieldOf, mergeField, metadataOf } from './merge-metadata.ts'
import { conflictOf, hasRoom, openChange, ownCandidate, updateChange, withdrawChanges } from './own-side.ts'
import type { BothSides, ReconcileInput } from './reconcile-input.ts'
import { ruleOf } from './three-way.ts'

export interface MetadataOutcome {
  readonly rules: readonly RuleId[]
  readonly local: Metadata
  readonly remote: Metadata
  readonly synced: Metadata
  readonly changes: readonly ConflictChange[]
  readonly notices: readonly Notice[]
}

interface FieldOutcome {
  readonly rules: readonly RuleId[]
  /** `synced` is always what is committed. */
  readonly local: FieldValue
  readonly remote: FieldValue
  readonly changes?: readonly ConflictChange[]
  readonly notice?: Notice
}

export function decideMetadata(input: ReconcileInput, sides: BothSides): MetadataOutcome {
  const local = new Map<string, FieldValue>()
  const remote = new Map<string, FieldValue>()
  const outcomes: FieldOutcome[] = []
  for (const field of fieldNames(input, sides)) {
    const outcome = decideField(input, sides, field)
    local.set(field, outcome.local)
    remote.set(field, outcome.remote)
    outcomes.push(outcome)
  }
  return {
    rules: outcomes.flatMap((outcome) => outcome.rules),
    local: metadataOf(local),
    remote: metadataOf(remote),
    synced: metadataOf(remote),
    changes: outcomes.flatMap((outcome) => outcome.changes ?? []),
    notices: outcomes.flatMap((outcome) => outcome.notice ?? []),
  }
}

function decideField(input: ReconcileInput, sides: BothSides, field: string): FieldOutcome {
  const aspect = `metadata.${field}` as const
  const conflict = conflictOf(aspect, input.conflicts)
  const own = ownCandidate(conflict, input.instance.id)
  const values: FieldSides = {
    base: sides.synced === null ? undefined : fieldOf(sides.synced.metadata, field),
    local: fieldOf(sides.local.metadata, field),
    remote: fieldOf(sides.remote.metadata, field),
  }
  const { local, remote } = values
  const merge = mergeField(field, values)
  const settled = merge.kind === 'settled' ? merge.verdict : merge.kind

  if (settled === 'unchanged' || settled === 'adopt') {
    const closed = withdrawChanges(conflict, input.instance.id)
    return {
      local: remote,
      remote,
      rules: [...ruleOf(settled), ...(closed.length > 0 ? (['R19-conflict-closed'] as const) : [])],
      changes: closed,
    }
  }

  const side = valueContent(local ?? null)
  if (conflict !== undefined && own !== undefined) {
    if (equalJson(own.value ?? null, side.value)) return { local, remote, rules: ['R17-conflict-held'] }
    if (settled !== 'pull') {
      const changes = [updateChange(conflict, input.instance.id, side)]
      return { local, remote, rules: ['R18-conflict-updated'], changes }
    }
    // The own value was given up for the one that was committed then, and that has moved on since.
    const changes = withdrawChanges(conflict, input.instance.id)
    return { local: remote, remote, rules: [...ruleOf(settled), 'R19-conflict-closed'], changes }
  }

  if (merge.kind === 'settled')
    return { local: merge.value, remote: merge.value, rules: ruleOf(merge.verdict) }
  if (merge.kind === 'merged')
    return { local: merge.value, remote: merge.value, rules: ['R12-merge-metadata'] }
  if (conflict !== undefined && hasRoom(conflict, input.instance.id)) {
    const changes = [updateChange(conflict, input.instance.id, side)]
    return { local, remote, rules: ['R18-conflict-updated'], changes }
  }

  const winner = winnerByPolicy(input, sides, conflict !== undefined)
  if (winner !== null) {
    const value = winner === sides.local ? local : remote
    const whose = winner === sides.local ? 'this instance’s' : 'the committed'
    const why = conflict === undefined ? `by policy \`${input.policy}\`` : 'the open conflict is full, so'
    const detail = `Both sides changed the field \`${field}\`; ${why} ${whose} value stands.`
    return {
      local: value,
      remote: value,
      rules: ['R20-policy'],
      notice: { rule: 'R20-policy', path: sides.remote.path, detail },
    }
  }
  const base = values.base === undefined ? null : valueContent(values.base)
  const on = { fileId: input.id, path: sides.remote.path, kind: 'metadata', aspect, base } as const
  return { local, remote, rules: ['R13-metadata-conflict'], changes: [openChange(on, side)] }
}

/** `null`: no policy decides fields, the conflict waits for a person. Fields cannot stand twice, so `both` waits too. */
function winnerByPolicy(
  input: ReconcileInput,
  { local, remote }: BothSides,
  full: boolean,
): FileState | null {
  if (full || input.policy === 'remote') return remote
  if (input.policy === 'local') return local
  if (input.policy === 'newest') return local.mtimeUs > remote.mtimeUs ? local : remote
  return null
}

function fieldNames(input: ReconcileInput, { local, synced, remote }: BothSides): string[] {
  const prefix = 'metadata.'
  const inConflict = input.conflicts
    .filter(({ aspect }) => aspect.startsWith(prefix))
    .map(({ aspect }) => aspect.slice(prefix.length))
  const all = [local, synced, remote].flatMap((state) => Object.keys(state?.metadata ?? {}))
  return [...new Set([...all, ...inConflict])].sort()
}
