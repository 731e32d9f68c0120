/**
 * The local half of a page: makes the workspace what the decisions say, one small step at a time. Each step first
 * looks whether the disk is as decided on; where it is not, nothing is done there and the file is decided anew.
 */
import { equalStates } from '../model/compare-states.ts'
import { effectiveLocal, liveState } from '../model/dirtiness.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { EventDraft } from '../model/event.ts'
import type { DiskStamp, FileId, FilePath, FileState, FileTriple, LocalFile } from '../model/file-state.ts'
import { unsafePathReason } from '../model/path.ts'
import { agreedBase } from '../reconcile/agreed-base.ts'
import { type LocalChange, orderSteps, type Step } from '../reconcile/order-steps.ts'
import type { StagedContent, StepResult } from '../workspace/workspace.ts'
import { breathe, type SyncContext } from './context.ts'
import { ContentFetcher } from './fetch-ahead.ts'
import { OriginNames } from './origin-names.ts'
import { isEdited, type PlannedFile, type PlanPage } from './plan.ts'
import type { RunState } from './run-state.ts'
import { forgetUnfinished, hasFolderEntry, noteCopy, noteUnfinished } from './unfinished.ts'
import { pulledAtKey, pulledSinceKey } from './verify-pulled.ts'

/** Up to so many files are each brought to the disk for good; more are listed until the next barrier. */
export const durableFilesMax = 64
/** Rows written together. */
const rowsPerTransaction = 200

/**
 * Returns the files whose local half stands, as the trees have them then: their remote half may be committed.
 * Downloads run ahead of the steps that need them.
 */
export async function applyLocal(
  context: SyncContext,
  run: RunState,
  page: PlanPage,
): Promise<PlannedFile[]> {
  const applier = new Applier(context, run, page)
  await applier.run()
  return page.files
    .filter(({ decision }) => !run.skipped.has(decision.id) && !applier.asides.has(decision.id))
    .map(({ decision }) => ({ decision, triple: context.database.trees.triple(decision.id) }))
}

class Applier {
  private readonly context: SyncContext
  private readonly state: RunState
  private readonly page: PlanPage
  private readonly byId: ReadonlyMap<FileId, PlannedFile>
  /** How each file looks on disk after the steps so far. */
  private readonly stamps = new Map<FileId, DiskStamp>()
  private readonly paths = new Map<FileId, FilePath>()
  private readonly racy = new Set<FileId>()
  private readonly finished: FileId[] = []
  /** Files whose content was put in its place and whose row is not written yet. */
  private readonly placed = new Set<FileId>()
  /** Files whose state follows in the index only. */
  readonly asides = new Set<FileId>()
  private readonly origins: OriginNames
  private fetcher: ContentFetcher | null = null
  /** What the steps leave for a moment was written down. */
  private isNoted = false

  constructor(context: SyncContext, state: RunState, page: PlanPage) {
    this.context = context
    this.state = state
    this.page = page
    this.byId = new Map(page.files.map((file) => [file.decision.id, file]))
    this.origins = new OriginNames(context)
  }

  async run(): Promise<void> {
    const changes: LocalChange[] = []
    for (const file of this.page.files) {
      if (await this.isHeldBack(file)) continue
      await this.keepCopy(file)
      const change = changeOf(file)
      if (change === null) continue
      changes.push(change)
      const { local } = file.triple
      if (local !== null && local.stamp !== null) {
        this.stamps.set(file.decision.id, local.stamp)
        this.paths.set(file.decision.id, local.state.path)
      }
    }
    if (changes.length > 0) await this.carryOut(orderSteps(changes))
    for (const { decision } of this.page.files) {
      if (!this.state.skipped.has(decision.id) && !this.asides.has(decision.id))
        await this.settle(decision.id)
    }
    await this.flush()
    if (changes.length > 0) this.context.database.arriving.clear()
  }

  private async carryOut(steps: readonly Step[]): Promise<void> {
    const places = steps.flatMap((step) => (step.kind === 'place' ? [step] : []))
    const { durableFilesMax } = this.context.settings
    const isDurable = places.length <= durableFilesMax
    const movesDurably = steps.filter(({ kind }) => kind === 'move').length <= durableFilesMax
    if (!isDurable) this.listPulled(places.filter(({ id }) => !this.isMerged(id)))
    this.listArriving(places)
    this.isNoted = noteUnfinished(this.context, steps, {
      stamps: this.stamps,
      hashOf: (id) => this.byId.get(id)?.decision.local?.hash ?? null,
    })
    await breathe()
    this.fetcher = new ContentFetcher(this.context, this.state, {
      merged: this.page.merged,
      wanted: places.flatMap(({ id }) => {
        const target = this.byId.get(id)?.decision.local
        return target === null || target === undefined || target.hash === null
          ? []
          : [{ id, hash: target.hash, size: target.size }]
      }),
    })
    try {
      let done = 0
      for (const step of steps) {
        this.state.options.signal.throwIfAborted()
        if ('id' in step && (this.state.skipped.has(step.id) || this.asides.has(step.id))) continue
        await this.carryOutOne(step, { isDurable, movesDurably })
        done += 1
        this.state.progress('apply', done, steps.length)
        if (done % rowsPerTransaction === 0) await breathe()
      }
    } catch (error) {
      // What stands on the disk already goes into the index: else it would be somebody's new file to the next scan.
      // What is half done stays noted, and is taken back before the next scan.
      this.isNoted = false
      for (const id of this.placed) await this.settle(id)
      await this.flush()
      throw error
    } finally {
      await this.fetcher.close()
    }
  }

  /**
   * ORDER: written down before the first of them is placed, and taken off with the row that says it is there. After a
   * crash in between it is known for the file it is (see `identify`).
   */
  private listArriving(places: readonly { readonly id: FileId; readonly path: FilePath }[]): void {
    const { database } = this.context
    database.transaction(() => {
      database.arriving.clear()
      for (const { id, path } of places) {
        const file = this.byId.get(id)
        const hash = file?.decision.local?.hash
        // What was merged is not in the chain yet: until it is, it is an edit.
        const isPulled = file !== undefined && liveState(file.triple)?.hash === hash
        if (isPulled && hash !== null && hash !== undefined) database.arriving.add({ id, path, hash })
      }
    })
  }

  /** ORDER: written down before the first of them is placed. After a crash of the machine they are not trusted. */
  private listPulled(places: readonly { readonly id: FileId; readonly path: FilePath }[]): void {
    this.context.database.transaction(() => {
      for (const { id, path } of places) {
        const hash = this.byId.get(id)?.decision.local?.hash
        if (hash !== null && hash !== undefined) this.context.database.pulled.add({ id, path, hash })
      }
      const { settings } = this.context.database
      const nowMs = this.context.clock.now()
      settings.set(pulledAtKey, nowMs)
      if (typeof settings.get(pulledSinceKey) !== 'number') settings.set(pulledSinceKey, nowMs)
    })
  }

  private async carryOutOne(
    step: Step,
    { isDurable, movesDurably }: { readonly isDurable: boolean; readonly movesDurably: boolean },
  ): Promise<void> {
    const { workspace } = this.context
    switch (step.kind) {
      case 'remove': {
        const expected = this.stamps.get(step.id)
        if (expected === undefined) return
        if (!(await this.isAsDecided(step.id, step.path))) return this.lookAgain(step.id, step.path)
        const result = await workspace.remove(step.path, { expected, old: 'trash' })
        // Also when it is gone: somebody may have given it another name.
        if (result.kind !== 'done') return this.lookAgain(step.id, step.path)
        this.stamps.delete(step.id)
        this.state.deletedHere += 1
        return
      }
      case 'move': {
        const expected = this.stamps.get(step.id)
        if (expected === undefined) return this.lookAgain(step.id, step.from)
        const result = await workspace.move(step.from, step.to, expected, { durable: movesDurably })
        await this.take(step.id, step.to, result)
        return
      }
      case 'park': {
        const expected = this.stamps.get(step.id)
        if (expected === undefined) return this.lookAgain(step.id, step.path)
        const result = await workspace.park(step.id, step.path, expected)
        if (result.kind === 'changed') this.lookAgain(step.id, step.path)
        return
      }
      case 'unpark':
        await this.take(step.id, step.path, await workspace.unpark(step.id, step.path))
        return
      case 'make-folder':
        await this.take(step.id, step.path, await workspace.makeFolder(step.path))
        return
      case 'place':
        // What was merged lies nowhere else yet: it could not be fetched again.
        await this.place(step.id, step.path, isDurable || this.isMerged(step.id))
        return
      case 'remove-folder':
        await workspace.removeFolder(step.path)
        this.stamps.delete(step.id)
        return
      case 'prune':
        if (!hasFolderEntry(this.context, step.path)) await workspace.removeFolder(step.path)
        return
    }
  }

  private isMerged(id: FileId): boolean {
    const hash = this.byId.get(id)?.decision.local?.hash
    return hash !== null && hash !== undefined && this.page.merged.has(hash)
  }

  private async place(id: FileId, path: FilePath, isDurable: boolean): Promise<void> {
    const file = this.byId.get(id)
    const target = file?.decision.local
    if (target === null || target === undefined) return
    let staged: StagedContent | null = null
    try {
      staged = await (this.fetcher as ContentFetcher).take(id)
      if (!(await this.isAsDecided(id, path))) return this.lookAgain(id, path)
      const result = await this.context.workspace.place(staged, path, {
        expected: this.stamps.get(id) ?? null,
        attributes: { executable: target.executable, mtimeUs: target.mtimeUs },
        old: 'trash',
        durable: isDurable,
      })
      await this.take(id, path, result)
      if (result.kind === 'done') this.placed.add(id)
    } catch (error) {
      // No room for this one, as large as it is or is said to be: smaller ones may still fit.
      if (!isDavitError(error, 'remote-damaged', 'path-unsafe', 'file-unreadable', 'disk-full')) throw error
      this.state.skip(id, { path, code: error.code, detail: error.message })
    } finally {
      await staged?.discard()
    }
  }

  /**
   * A content whose time was too fresh to be trusted may have changed without a trace: it is read again before it is
   * replaced or removed. All others are told by their stamp.
   */
  private async isAsDecided(id: FileId, path: FilePath): Promise<boolean> {
    const local = this.byId.get(id)?.triple.local
    if (local === null || local === undefined || !local.racy || local.absence !== null) return true
    if (this.stamps.get(id) === undefined) return true
    try {
      return (await this.context.workspace.hash(path, this.state.options.signal)).hash === local.state.hash
    } catch (error) {
      if (isDavitError(error, 'file-changed', 'file-busy', 'file-unreadable')) return false
      throw error
    }
  }

  /** Takes in what a step answered. */
  private async take(id: FileId, path: FilePath, result: StepResult): Promise<void> {
    switch (result.kind) {
      case 'done':
        this.stamps.set(id, result.stamp)
        this.paths.set(id, path)
        if (result.racy) this.racy.add(id)
        return
      case 'changed':
        this.lookAgain(id, path)
        return
      case 'blocked':
        this.lookAgain(id, result.path)
        return
      case 'unrepresentable':
        await this.standAside(id, { code: 'path-unrepresentable', detail: result.detail })
        return
    }
  }

  private lookAgain(id: FileId, path: FilePath): void {
    // Where it stood before, too: a file that was moved already would be missed there and be new here.
    for (const other of [this.paths.get(id), this.byId.get(id)?.triple.local?.state.path])
      if (other !== undefined) this.state.again.add(other)
    this.state.lookAgainAt(path, id)
  }

  /**
   * A state that this disk must not or cannot hold stays in the remote tree, is reported, and is not written. Its
   * absence is no deletion. `null`: it is ignored here.
   */
  private async standAside(
    id: FileId,
    why: { readonly code: string; readonly detail: string } | null,
  ): Promise<void> {
    const file = this.byId.get(id)
    const live = file === undefined ? null : liveState(file.triple)
    if (file === undefined) return
    this.asides.add(id)
    // Nothing is committed under this name yet: it is decided anew when there is.
    if (live === null) return
    if (why !== null) this.state.problem({ path: live.path, ...why })
    const { local } = file.triple
    const absence = why === null ? 'ignored' : 'unrepresentable'
    if (local !== null && local.absence === null) {
      // One that stands here already stays under the name that it has, unless that is another file's by now; it differs
      // from the store until a name comes that can be written. One that is ignored from now on leaves, as elsewhere.
      const owner = this.context.database.trees.remoteAt(local.state.path)
      if (why !== null && (owner === null || owner.id === id)) return
      return this.leave(id, local, live, absence)
    }
    this.markAbsent(id, live, absence)
  }

  private markAbsent(id: FileId, live: FileState, absence: NonNullable<LocalFile['absence']>): void {
    this.context.database.transaction(() => {
      // `racy`: should a content be found here one day, it was never held against what is agreed on from now.
      this.context.database.trees.putLocal({ id, state: live, stamp: null, racy: true, absence })
      this.context.database.trees.putSynced(id, live)
    })
  }

  /** Makes room under the name that the file has here. What was not agreed on stays: it is sent first. */
  private async leave(
    id: FileId,
    local: LocalFile,
    live: FileState,
    absence: NonNullable<LocalFile['absence']>,
  ): Promise<void> {
    const { workspace, database, emit } = this.context
    const { path } = local.state
    const { synced } = database.trees.triple(id)
    if (synced === null || isEdited(synced, local.state)) return
    const stamp = this.stamps.get(id) ?? local.stamp
    // ORDER: the index first. Killed in between, the file stands there as a new one; the other way round its absence
    // would be a deletion, everywhere.
    this.markAbsent(id, live, absence)
    if (local.state.kind === 'folder') {
      await workspace.removeFolder(path)
      return
    }
    let isGone = false
    try {
      const isAsDecided = stamp !== null && (await this.isAsDecided(id, path))
      isGone =
        isAsDecided && (await workspace.remove(path, { expected: stamp, old: 'trash' })).kind === 'done'
    } finally {
      if (!isGone)
        database.transaction(() => {
          database.trees.putLocal(local)
          database.trees.putSynced(id, synced)
        })
    }
    if (!isGone) {
      this.lookAgain(id, path)
      return
    }
    this.stamps.delete(id)
    this.state.deletedHere += 1
    const because = absence === 'ignored' ? 'is ignored here' : 'cannot be written here'
    const detail = `Its name elsewhere, '${live.path}', ${because}. It left this folder, and is in the trash.`
    emit({ type: 'file.rescued', data: { fileId: id, path, rule: 'left', detail } })
  }

  /** What is not to be written here at all, and what only follows in the index. */
  private async isHeldBack(file: PlannedFile): Promise<boolean> {
    const { decision, triple } = file
    const target = decision.local
    const isAbsent = triple.local !== null && triple.local.absence !== null
    if (target === null) {
      if (isAbsent && liveState(triple) === null) {
        this.context.database.transaction(() => {
          this.context.database.trees.removeLocal(decision.id)
          this.context.database.trees.putSynced(decision.id, null)
        })
        this.asides.add(decision.id)
        return true
      }
      return false
    }
    const isWritten = triple.local !== null && !isAbsent && triple.local.state.path === target.path
    if (isWritten) return false
    const reason = unsafePathReason(target.path)
    if (reason !== null) {
      await this.standAside(decision.id, {
        code: 'path-unsafe',
        detail: `the name was not written because ${reason}`,
      })
      return true
    }
    if (this.context.workspace.isIgnored(target.path, target.kind)) {
      await this.standAside(decision.id, null)
      return true
    }
    return false
  }

  /** By policy `both`: this instance's content stands beside the other one, as a new file. */
  private async keepCopy({ decision, triple }: PlannedFile): Promise<void> {
    const { copy } = decision
    const { local } = triple
    if (copy === null || local === null || local.stamp === null) return
    const { workspace, database, random } = this.context
    const source = workspace.source(local.state.path, local.stamp)
    const staged = await workspace.stage(source.size)
    try {
      for await (const chunk of source.open(this.state.options.signal)) await staged.sink.write(chunk)
      await staged.finish({ durable: true })
      const { executable, mtimeUs } = copy.state
      if (local.state.hash !== null) noteCopy(this.context, { path: copy.path, hash: local.state.hash })
      const result = await workspace.place(staged, copy.path, {
        expected: null,
        attributes: { executable, mtimeUs },
        old: 'trash',
        durable: true,
      })
      if (result.kind !== 'done') {
        forgetUnfinished(this.context)
        return this.lookAgain(decision.id, copy.path)
      }
      database.transaction(() => {
        forgetUnfinished(this.context)
        database.trees.putLocal({
          id: random.uuid(),
          state: { ...copy.state, path: copy.path },
          stamp: result.stamp,
          racy: result.racy,
          absence: null,
        })
        // What was kept is no edit any more: should the rest fail, the next run makes no second copy of it.
        const { hash, size, mtimeUs } = local.state
        const base = triple.synced?.kind === local.state.kind ? triple.synced : local.state
        database.trees.putSynced(decision.id, { ...base, hash, size, mtimeUs })
      })
    } catch (error) {
      if (!isDavitError(error, 'file-changed')) throw error
      this.lookAgain(decision.id, local.state.path)
    } finally {
      await staged.discard()
    }
  }

  /** The file's local half is done: attributes that still differ, then the row, with the others of its block. */
  private async settle(id: FileId): Promise<void> {
    const file = this.byId.get(id)
    if (file === undefined || this.asides.has(id)) return
    const target = file.decision.local
    const stamp = this.stamps.get(id) ?? file.triple.local?.stamp
    if (
      target !== null &&
      target.kind === 'file' &&
      stamp !== undefined &&
      stamp !== null &&
      this.needsAttributes(file)
    ) {
      const result = await this.context.workspace.setAttributes(target.path, stamp, {
        executable: target.executable,
        mtimeUs: target.mtimeUs,
      })
      await this.take(id, target.path, result)
      if (this.state.skipped.has(id)) return
    }
    if (this.asides.has(id)) return
    this.finished.push(id)
    if (this.finished.length >= rowsPerTransaction) await this.flush()
  }

  private needsAttributes({ decision, triple }: PlannedFile): boolean {
    const before = triple.local
    const after = decision.local
    if (before === null || before.absence !== null || after === null || after.hash !== before.state.hash)
      return false
    return after.executable !== before.state.executable || after.mtimeUs !== before.state.mtimeUs
  }

  private async flush(): Promise<void> {
    const ids = this.finished.splice(0)
    if (ids.length === 0 && !this.isNoted) return
    // ORDER: on the disk before the rows say so, which survive a power cut. A deletion that came undone would be a new
    // file, and a rename somebody's rename back.
    await this.context.workspace.makeDurable()
    for (const id of ids) this.placed.delete(id)
    const events: EventDraft[] = []
    this.context.database.transaction(() => {
      for (const id of ids) {
        const file = this.byId.get(id)
        if (file !== undefined) this.writeRow(file, events)
      }
      // Rows are written when all steps were carried out.
      if (this.isNoted) forgetUnfinished(this.context)
      // In the same transaction: one write to the disk for all of them, and each exactly once.
      this.context.emitAll(events)
    })
    this.isNoted = false
    await breathe()
  }

  private writeRow({ decision, triple }: PlannedFile, events: EventDraft[]): void {
    const { trees } = this.context.database
    const { id } = decision
    const target = decision.local
    const before = triple.local
    const isAbsent = before !== null && before.absence !== null
    if (target === null) {
      if (before !== null) trees.removeLocal(id)
    } else {
      const stamp = this.stamps.get(id) ?? before?.stamp ?? null
      const isChanged = before === null || isAbsent || JSON.stringify(before.state) !== JSON.stringify(target)
      if (isChanged || this.stamps.has(id)) {
        const row: LocalFile = {
          id,
          state: target,
          stamp,
          racy: this.stamps.has(id) ? this.racy.has(id) : (before?.racy ?? false),
          absence: null,
        }
        trees.putLocal(row)
      }
      this.context.database.arriving.remove(id)
    }
    // What the remote tree asks for is in the workspace now, and becomes what was agreed. Where a conflict has to be
    // written down first, the base stays until it is: else the next run would take one side for an edit of the other.
    const live = liveState(triple)
    const base = decision.conflicts.length === 0 ? live : baseBeside(triple.synced, target, live)
    if (!isSame(triple.synced, base)) trees.putSynced(id, base)
    const origin = this.context.instance().name
    for (const { path, rule, detail } of decision.notices) {
      // Once a run, however often it is decided anew after a commit that lost.
      if (!this.state.notice({ kind: 'notice', fileId: id, path, rule, detail })) continue
      events.push({ type: 'file.rescued', data: { fileId: id, path, rule, detail, origin } })
    }
    events.push(...this.eventsOf(id, effectiveLocal(triple), target, triple))
  }

  private eventsOf(
    id: FileId,
    before: FileState | null,
    after: FileState | null,
    triple: FileTriple,
  ): EventDraft[] {
    if (equalStates(before, after)) return []
    const origin = this.origins.of(triple.remote?.version)
    if (before === null && after !== null) {
      this.state.downloaded += after.kind === 'file' ? 1 : 0
      return [{ type: 'file.added', data: { fileId: id, path: after.path, origin } }]
    }
    if (after === null)
      return [{ type: 'file.deleted', data: { fileId: id, path: before?.path ?? '', origin } }]
    const events: EventDraft[] = []
    if (before !== null && before.path !== after.path) {
      this.state.moved += 1
      events.push({ type: 'file.moved', data: { fileId: id, path: after.path, from: before.path, origin } })
    }
    if (before !== null && !equalStates({ ...before, path: after.path }, after)) {
      if (before.hash !== after.hash) this.state.downloaded += 1
      else this.state.metadata += 1
      events.push({ type: 'file.updated', data: { fileId: id, path: after.path, origin } })
    }
    return events
  }
}

/** What of it is agreed on already: a commit that loses now must not make an edit of what was pulled. */
function baseBeside(
  synced: FileState | null,
  local: FileState | null,
  live: FileState | null,
): FileState | null {
  return synced === null || local === null || live === null ? synced : agreedBase(synced, local, live)
}

function isSame(left: FileState | null, right: FileState | null): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right)
}

/** What the decision asks of the disk in names and contents; `null` when nothing. */
function changeOf({ decision, triple }: PlannedFile): LocalChange | null {
  const before = triple.local !== null && triple.local.absence === null ? triple.local.state : null
  const after = decision.local
  if (before === null && after === null) return null
  if (before !== null && after !== null && before.path === after.path && before.hash === after.hash)
    return null
  const kind = (after ?? before)?.kind
  if (kind === undefined) throw new DavitError('internal', 'a change without a kind', { action: 'give-up' })
  return {
    id: decision.id,
    kind,
    from: before?.path ?? null,
    to: after?.path ?? null,
    content: after !== null && after.hash !== (before?.hash ?? null),
  }
}
