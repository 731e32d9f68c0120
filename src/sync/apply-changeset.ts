/**
 * Takes a verified changeset into the remote tree, and takes one back. Nothing on disk is touched here: the trees
 * differ afterwards, and reconciling does the rest.
 */
import type { Database } from '../database/database.ts'
import type { Before, Changeset, Operation } from '../model/changeset.ts'
import { equalStates, sameContent } from '../model/compare-states.ts'
import type { Candidate, Conflict } from '../model/conflict.ts'
import { fieldValue, liveState } from '../model/dirtiness.ts'
import { DavitError } from '../model/errors.ts'
import type { EventDraft } from '../model/event.ts'
import type { FileId, FileState, FileTriple, InstanceId } from '../model/file-state.ts'
import { equalJson } from '../model/json.ts'
import { candidatesMax } from '../model/limits.ts'
import { changeConflict } from './change-conflict.ts'
import { keepFromDeletion } from './keep-from-deletion.ts'
import { digestAfter, doubledPath } from './state-changes.ts'
import { noteUnseen } from './unseen-conflicts.ts'

export interface ApplyOptions {
  readonly instance: InstanceId
  /** It is this instance's own commit, made from its durable attempt: what it says is what was agreed. */
  readonly own: boolean
  /** Joined anew after the store or the workspace was lost: what stands here is kept, whatever history says of it. */
  readonly keep?: boolean
}

/**
 * In one transaction: remote tree, contents, conflicts, history, journal; `synced` is moved up where this instance is
 * known to have that very state already. Throws `remote-damaged` and changes nothing when the changeset does not
 * follow what is here or its digest is not met. Returns the events to tell once the transaction stands.
 */
export function applyChangeset(
  database: Database,
  changeset: Changeset,
  options: ApplyOptions,
): EventDraft[] {
  return database.transaction(() => {
    const { version } = changeset.point
    const at = { version, time: changeset.header.at }
    checkSet(changeset)
    const doubled = doubledPath(database, changeset.operations)
    if (doubled !== null) throw unfit(changeset, `puts a second file at '${doubled}'`)
    const digest = digestAfter(database, changeset.operations, at)
    if (digest !== changeset.header.digest) {
      throw new DavitError(
        'remote-damaged',
        `changeset ${version} does not lead to the state that it states`,
        {
          action: 'ask',
          hint: 'Run `davit verify`; another instance with an intact state can tell whether the store or this index is wrong.',
          details: { version, hash: changeset.point.hash },
        },
      )
    }
    const replicaSet = database.chain.replicaSet()
    if (replicaSet !== null && replicaSet !== changeset.header.replicaSet) {
      throw new DavitError('remote-foreign', `changeset ${version} is of another replica set`, {
        action: 'ask',
        hint: 'Check the URL. If the store was replaced on purpose, run `davit recover adopt`.',
        details: { expected: replicaSet, found: changeset.header.replicaSet },
      })
    }
    const events: EventDraft[] = []
    // A person's resolution says what shall be, not what is here: its files are pulled like anybody's.
    const isResolution = changeset.operations.some(
      ({ kind, ...rest }) =>
        kind === 'resolve' && 'strategy' in rest && !['equal', 'deleted'].includes(rest.strategy),
    )
    const told = { ...options, own: options.own && !isResolution }
    for (const operation of changeset.operations) applyOperation(database, operation, changeset, told, events)
    noteUnseen(database, broughtHere(database, changeset))
    database.chain.append(changeset)
    return events
  })
}

/** Files that stand here, as far as is known, and of which this changeset brings a side of a conflict. */
function broughtHere(database: Database, changeset: Changeset): FileId[] {
  const ids = changeset.operations.flatMap((operation) => {
    if (operation.kind === 'conflict' && operation.add.length > 0) return [operation.fileId]
    // The committed side was edited.
    return operation.kind === 'put' && database.conflicts.ofFile(operation.id).length > 0
      ? [operation.id]
      : []
  })
  return ids.filter((id) => database.trees.triple(id).local !== null)
}

/** A changeset is applied as a set: each file, conflict and content is named once, and each path once. */
function checkSet(changeset: Changeset): void {
  const names = new Set<string>()
  for (const operation of changeset.operations) {
    const keys =
      operation.kind === 'put'
        ? [`file ${operation.id}`, `path ${operation.after.path}`]
        : operation.kind === 'delete'
          ? [`file ${operation.id}`]
          : operation.kind === 'object'
            ? [`object ${operation.hash}`]
            : operation.kind === 'notice'
              ? [`notice ${operation.fileId} ${operation.rule}`]
              : operation.kind === 'checkpoint'
                ? ['checkpoint']
                : [`conflict ${operation.id}`]
    for (const key of keys) {
      if (names.has(key)) {
        throw unfit(changeset, `names ${key} twice`)
      }
      names.add(key)
    }
  }
}

function unfit({ point }: Changeset, problem: string): DavitError {
  return new DavitError('remote-damaged', `changeset ${point.version} ${problem}`, {
    action: 'ask',
    hint: 'The store was changed by something that does not follow its format; restore it from a backup.',
    details: { version: point.version, hash: point.hash },
  })
}

function applyOperation(
  database: Database,
  operation: Operation,
  changeset: Changeset,
  options: ApplyOptions,
  events: EventDraft[],
): void {
  const { trees } = database
  const { version } = changeset.point
  switch (operation.kind) {
    case 'put': {
      const triple = trees.triple(operation.id)
      keepHistory(database, triple, operation.after, version)
      trees.putRemote({
        id: operation.id,
        state: operation.after,
        version,
        deletedVersion: null,
        deletedAt: null,
      })
      moveSyncedUp(database, triple, operation.after, options.own)
      return
    }
    case 'delete': {
      const triple = trees.triple(operation.id)
      keepHistory(database, triple, null, version)
      trees.putRemote({
        id: operation.id,
        state: operation.before,
        version,
        deletedVersion: version,
        deletedAt: changeset.header.at,
      })
      // Gone here as well: should the chain bring it back later, that is no edit against a deletion of ours.
      const isKept = options.keep === true && triple.local !== null
      if (options.own || triple.local === null || isKept) trees.putSynced(operation.id, null)
      return
    }
    case 'object':
      database.contents.put({ hash: operation.hash, size: operation.size, name: operation.name })
      return
    case 'conflict': {
      const open = database.conflicts.get(operation.id)
      const conflict = changeConflict(open, operation, { version, time: changeset.header.at })
      if (conflict === null) {
        database.conflicts.resolve(operation.id, { strategy: 'equal', version, at: changeset.header.at })
      } else {
        if (conflict.candidates.length > candidatesMax)
          throw unfit(
            changeset,
            `brings conflict ${operation.id} to ${conflict.candidates.length} candidates`,
          )
        database.conflicts.put(conflict)
      }
      // This instance's side stands in the conflict now: the committed state is what it starts from, and the
      // difference waits (see dirtiness). Where the file went while a first attempt was open, nobody knew of it here.
      const { local, synced, remote } = trees.triple(operation.fileId)
      const isKnown = local !== null || (open !== null && synced !== null)
      if (options.own && isKnown && operation.add.some((side) => side.instance === options.instance)) {
        if (remote !== null && remote.deletedVersion === null) trees.putSynced(operation.fileId, remote.state)
      } else if (operation.add.length > 0) events.push(...keepFromDeletion(database, operation))
      events.push({
        type:
          open === null ? 'conflict.detected' : conflict === null ? 'conflict.resolved' : 'conflict.updated',
        data: { id: operation.id, fileId: operation.fileId, path: operation.path, aspect: operation.aspect },
      })
      return
    }
    case 'resolve': {
      const open = database.conflicts.get(operation.id)
      if (open !== null) {
        startFromDecided(database, operation, options.instance)
        database.conflicts.resolve(operation.id, {
          strategy: operation.strategy,
          version,
          at: changeset.header.at,
        })
      }
      events.push({
        type: 'conflict.resolved',
        data: {
          id: operation.id,
          fileId: operation.fileId,
          path: operation.before.path,
          aspect: operation.before.aspect,
          strategy: operation.strategy,
          by: changeset.header.instance.name,
        },
      })
      return
    }
    case 'notice': {
      // The instance that decided has told its own people when it did.
      if (changeset.header.instance.id === options.instance) return
      const { fileId, path, rule, detail } = operation
      const origin = changeset.header.instance.name
      events.push({ type: 'file.rescued', data: { fileId, path, rule, detail, origin } })
      return
    }
    case 'checkpoint':
      return
  }
}

function keepHistory(database: Database, triple: FileTriple, after: FileState | null, version: number): void {
  const old = triple.remote
  if (old === null || old.deletedVersion !== null) return
  if (after !== null && sameContent(old.state, after)) return
  database.history.add({ fileId: triple.id, version: old.version, untilVersion: version, state: old.state })
}

/**
 * A local state equal to one that this file had in the chain after `synced` is no edit, aspect by aspect: the answer
 * to a commit was lost, or this index was restored from a backup. Without this, somebody's later work would be undone.
 */
function moveSyncedUp(database: Database, triple: FileTriple, after: FileState, own: boolean): void {
  const { trees } = database
  if (own) {
    // ORDER: an attempt may be settled long after it was made. What is to be fetched again by now (a power cut tore it,
    // a rule that ignored it is gone) is here no more: taken for agreed on, it would count as deleted.
    const isAwaited = triple.local === null && triple.synced === null && liveState(triple) !== null
    if (!isAwaited) trees.putSynced(triple.id, after)
    return
  }
  if (triple.local !== null && triple.local.absence === null) {
    const { state } = triple.local
    if (triple.synced === null) {
      if (equalStates(state, after)) trees.putSynced(triple.id, after)
      return
    }
    const moved = movedUp(state, triple.synced, after)
    if (!equalStates(moved, triple.synced)) trees.putSynced(triple.id, moved)
    return
  }
  if (triple.local !== null || triple.synced !== null) return
  // A file of this path and content stands here without an identity of the chain: it is this one.
  const here = trees.localAt(after.path)
  if (here === null || here.absence !== null || !sameContent(here.state, after)) return
  const known = trees.triple(here.id)
  if (known.synced !== null || known.remote !== null) return
  trees.rekeyLocal(here.id, triple.id)
  if (equalStates({ ...here.state, metadata: after.metadata }, after)) trees.putSynced(triple.id, after)
}

/** `synced` with the aspects in which the chain came to what is here. */
function movedUp(local: FileState, synced: FileState, after: FileState): FileState {
  const metadata: Record<string, FileState['metadata'][string]> = { ...synced.metadata }
  for (const field of Object.keys({ ...synced.metadata, ...after.metadata })) {
    const value = fieldValue(after.metadata, field)
    if (!equalJson(fieldValue(local.metadata, field), value)) continue
    if (value === null) delete metadata[field]
    else metadata[field] = value
  }
  const { kind, hash, size, mtimeUs } = after
  return {
    ...synced,
    ...(sameContent(local, after) && !sameContent(synced, after) ? { kind, hash, size, mtimeUs } : {}),
    ...(local.path === after.path ? { path: after.path } : {}),
    ...(local.executable === after.executable ? { executable: after.executable } : {}),
    metadata,
  }
}

/**
 * A resolution touches a workspace only where the content is one that it was made on: then `synced` becomes what is
 * here, and the resolved state is pulled. Otherwise this instance's last candidate becomes the base, and what was
 * edited since is an edit against the resolution.
 */
function startFromDecided(
  database: Database,
  operation: Extract<Operation, { readonly kind: 'resolve' }>,
  instance: InstanceId,
): void {
  const { trees } = database
  const { local, synced } = trees.triple(operation.fileId)
  if (local === null || local.absence !== null) return
  const { aspect } = operation.before
  const own = operation.before.candidates.find((side) => side.instance === instance)
  const base = synced ?? local.state
  if (aspect === 'content') {
    const here = { hash: local.state.hash, size: local.state.size }
    if (here.hash !== null && operation.decided.includes(here.hash)) {
      trees.putSynced(operation.fileId, { ...base, ...here })
    } else if (own !== undefined && operation.decided.includes(own.hash)) {
      trees.putSynced(operation.fileId, { ...base, hash: own.hash, size: own.size })
    }
    return
  }
  if (own === undefined || !operation.decided.includes(own.hash)) return
  const field = aspect.slice('metadata.'.length)
  const { [field]: _gone, ...others } = base.metadata
  const value = own.value ?? null
  trees.putSynced(operation.fileId, {
    ...base,
    metadata: value === null ? others : { ...others, [field]: value },
  })
}

type ConflictOperation = Extract<Operation, { readonly kind: 'conflict' }>

export interface RevertOptions {
  readonly instance: InstanceId
  /** The version to which all is taken back: no entry that stands then is of a later one. */
  readonly ancestor: number
  readonly undoSynced: boolean
  /** The candidate that the operation replaced or took away, as an earlier changeset had brought it. */
  readonly formerCandidate: (
    operation: ConflictOperation,
    side: ConflictOperation['remove'][number],
  ) => Candidate
}

/**
 * Takes back the newest applied changeset: the remote tree stands as before it. With `undoSynced` what this instance
 * had agreed on goes back as well, so that reconciling makes the changes anew or finds them made; without, it is left
 * alone (the changeset's effect is in the chain by another one).
 */
export function revertChangeset(database: Database, changeset: Changeset, options: RevertOptions): void {
  database.transaction(() => {
    for (const operation of [...changeset.operations].reverse())
      revertOperation(database, operation, changeset, options)
  })
}

function revertOperation(
  database: Database,
  operation: Operation,
  changeset: Changeset,
  options: RevertOptions,
): void {
  const { trees } = database
  switch (operation.kind) {
    case 'put': {
      const before = operation.before === null ? null : stateBefore(operation.after, operation.before)
      if (before === null) trees.removeRemote(operation.id)
      else putBack(database, operation.id, before, options)
      if (options.undoSynced) undoSynced(database, operation.id, operation.after, before)
      return
    }
    case 'delete':
      putBack(database, operation.id, operation.before, options)
      if (options.undoSynced && trees.triple(operation.id).synced === null) {
        trees.putSynced(operation.id, operation.before)
      }
      return
    case 'object':
      if (operation.before === null) database.contents.remove(operation.hash)
      else database.contents.put({ hash: operation.hash, size: operation.size, name: operation.before })
      return
    case 'conflict':
      revertConflict(database, operation, changeset, options)
      return
    case 'resolve': {
      const { conflict, aspect, base, candidates, detectedAt, version, path } = operation.before
      database.conflicts.put({
        id: operation.id,
        fileId: operation.fileId,
        path,
        kind: conflict,
        aspect,
        base,
        candidates,
        detectedAt,
        version,
      })
      return
    }
    case 'notice':
    case 'checkpoint':
      return
  }
}

/** ORDER: after it this instance's side is an edit again. Left as agreed on, it would be pushed over the other side. */
function revertConflict(
  database: Database,
  operation: ConflictOperation,
  changeset: Changeset,
  options: RevertOptions,
): void {
  const open = database.conflicts.get(operation.id)
  const isAdded = (side: Candidate) =>
    operation.add.some((added) => added.instance === side.instance && added.hash === side.hash)
  const former = operation.remove.map((side) => options.formerCandidate(operation, side))
  const candidates = [...(open?.candidates ?? []).filter((side) => !isAdded(side)), ...former]
  if (candidates.length === 0) database.conflicts.remove(operation.id)
  else {
    database.conflicts.put({
      id: operation.id,
      fileId: operation.fileId,
      path: open?.path ?? operation.path,
      kind: open?.kind ?? operation.conflict,
      aspect: operation.aspect,
      base: operation.base,
      detectedAt: open?.detectedAt ?? changeset.header.at,
      version: options.ancestor,
      candidates,
    })
  }
  const isOwn = operation.add.some((side) => side.instance === options.instance)
  if (isOwn && !candidates.some((side) => side.instance === options.instance))
    startFromBase(database, operation)
}

/**
 * This instance's side stands in the conflict no more: it starts again from what both sides started from. Else its
 * content would pass for an edit of the committed one.
 */
export function startFromBase(
  database: Database,
  conflict: Pick<Conflict, 'fileId' | 'aspect' | 'base'>,
): void {
  const { trees } = database
  const { local, synced } = trees.triple(conflict.fileId)
  if (local === null || synced === null) return
  const { aspect, base } = conflict
  if (aspect === 'content') {
    if (local.state.hash === synced.hash) return
    trees.putSynced(conflict.fileId, base === null ? null : { ...synced, hash: base.hash, size: base.size })
    return
  }
  const field = aspect.slice('metadata.'.length)
  const { [field]: _gone, ...others } = synced.metadata
  const value = base?.value ?? null
  trees.putSynced(conflict.fileId, {
    ...synced,
    metadata: value === null ? others : { ...others, [field]: value },
  })
}

function putBack(
  database: Database,
  id: FileId,
  state: FileState,
  { ancestor: version }: Pick<RevertOptions, 'ancestor'>,
): void {
  database.trees.putRemote({
    id,
    state,
    version,
    deletedVersion: null,
    deletedAt: null,
  })
}

/** The whole state that a partial `before` speaks of. */
export function stateBefore(after: FileState, before: Before): FileState {
  return { ...after, ...before }
}

function undoSynced(database: Database, id: FileId, after: FileState, before: FileState | null): void {
  const { synced } = database.trees.triple(id)
  if (synced === null) return
  if (before === null) {
    if (equalStates(synced, after)) database.trees.putSynced(id, null)
    return
  }
  // Aspect by aspect: what this changeset had brought goes back, what others brought stays.
  const metadata: Record<string, FileState['metadata'][string]> = { ...synced.metadata }
  for (const field of new Set([...Object.keys(before.metadata), ...Object.keys(after.metadata)])) {
    const was = fieldValue(before.metadata, field)
    const became = fieldValue(after.metadata, field)
    if (equalJson(was, became) || !equalJson(fieldValue(synced.metadata, field), became)) continue
    if (was === null) delete metadata[field]
    else metadata[field] = was
  }
  database.trees.putSynced(id, {
    ...synced,
    ...(sameContent(synced, after) ? { hash: before.hash, size: before.size, mtimeUs: before.mtimeUs } : {}),
    ...(synced.path === after.path ? { path: before.path } : {}),
    ...(synced.executable === after.executable ? { executable: before.executable } : {}),
    metadata,
  })
}
