/** What every implementation of the database port promises beside the trees, as a function of how to open one. */
import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { type CheckpointReference, emptyStorePoint } from '../../src/model/changeset.ts'
import { emptyDigest } from '../../src/model/digest.ts'
import type { RunSummary } from '../../src/model/run.ts'
import {
  conflict,
  fileId,
  hashOf,
  local,
  nextChangeset,
  remote,
  replicaSet,
  state,
} from '../support/database-values.ts'

const at = '2026-11-20T12:00:00.000Z'

export function summary(runId: string): RunSummary {
  return {
    runId,
    kind: 'incremental',
    trigger: 'watch',
    outcome: 'in-sync',
    version: 3,
    uploaded: 1,
    downloaded: 2,
    deleted: 0,
    moved: 0,
    metadata: 0,
    conflicts: 0,
    problems: [{ path: 'a', code: 'portability', detail: 'so' }],
    requests: 4,
    bytesSent: 5,
    bytesReceived: 6,
    startedAt: at,
    endedAt: at,
    durationMs: 7,
    phases: { scan: 1 },
  }
}

function checkpointAt(version: number): CheckpointReference {
  return {
    version,
    chainHash: hashOf('chain'),
    name: `checkpoints/${version}.db`,
    hash: hashOf('file'),
    size: 9,
  }
}

export function runDatabaseSuite(name: string, open: () => Database): void {
  describe(`${name}: transactions`, () => {
    it('undo everything, the counts too, when the work throws', () => {
      const database = open()
      database.trees.putRemote(remote(fileId(1), state('a')))
      const before = database.trees.counts()
      expect(() =>
        database.transaction(() => {
          database.trees.putRemote(remote(fileId(2), state('b')))
          database.problems.put({ path: 'b', code: 'x', detail: '' }, at)
          database.conflicts.put(conflict(1, fileId(2)))
          database.chain.append(nextChangeset(database))
          throw new Error('on purpose')
        }),
      ).toThrow('on purpose')
      expect(database.trees.counts()).toEqual(before)
      expect(database.problems.count()).toBe(0)
      expect(database.conflicts.count()).toBe(0)
      expect(database.chain.point()).toBeNull()
      expect(database.trees.remoteAt('b')).toBeNull()
    })

    it('undo everything when a nested part throws, even if that was caught', () => {
      const database = open()
      expect(() =>
        database.transaction(() => {
          database.settings.set('outer', 1)
          try {
            database.transaction(() => {
              database.settings.set('inner', 1)
              throw new Error('inside')
            })
          } catch {
            database.settings.set('after', 1)
          }
        }),
      ).toThrow('a part of this transaction failed')
      for (const key of ['outer', 'inner', 'after']) expect(database.settings.get(key)).toBeNull()
      database.transaction(() => database.transaction(() => database.settings.set('outer', 2)))
      expect(database.settings.get('outer')).toBe(2)
    })

    it('refuse work that waits', () => {
      const database = open()
      expect(() =>
        database.transaction(async () => {
          database.settings.set('key', 1)
        }),
      ).toThrow('must not wait')
      expect(database.settings.get('key')).toBeNull()
    })

    it('return what the work returns', () => {
      expect(open().transaction(() => 42)).toBe(42)
    })
  })

  describe(`${name}: the chain`, () => {
    it('starts with nothing', () => {
      const { chain } = open()
      expect(chain.point()).toBeNull()
      expect(chain.digest()).toBe(emptyDigest)
      expect([chain.replicaSet(), chain.checkpoint(), chain.oldestKnown(), chain.hashAt(0)]).toEqual([
        null,
        null,
        null,
        null,
      ])
    })

    it('takes only the changeset that follows', () => {
      const database = open()
      const first = nextChangeset(database)
      database.chain.append(first)
      const second = nextChangeset(database, { digest: hashOf('state') })
      const wrong = [
        first,
        { ...second, header: { ...second.header, parent: hashOf('another') } },
        { ...second, point: { ...second.point, version: 3 } },
        { ...second, header: { ...second.header, version: 3 } },
        { ...second, header: { ...second.header, replicaSet: fileId(7) } },
      ]
      for (const changeset of wrong)
        expect(() => database.chain.append(changeset)).toThrow(expect.objectContaining({ code: 'internal' }))
      expect(database.chain.point()).toEqual(first.point)
      database.chain.append(second)
      expect(database.chain.point()).toEqual(second.point)
      expect(database.chain.digest()).toBe(hashOf('state'))
      expect(database.chain.replicaSet()).toBe(replicaSet)
      expect(database.chain.hashAt(0)).toBe(emptyStorePoint.hash)
      expect(database.chain.hashAt(1)).toBe(first.point.hash)
      expect(database.chain.hashAt(3)).toBeNull()
      expect(database.chain.oldestKnown()).toBe(1)
      expect(Buffer.from(database.chain.bytesAt(1) ?? [])).toEqual(first.bytes)
      expect(database.chain.bytesAt(3)).toBeNull()
    })

    it('counts the bytes since the newest checkpoint', () => {
      const { chain, ...rest } = open()
      const database = { chain, ...rest }
      const sizes: number[] = []
      const append = (checkpoint: CheckpointReference | null) => {
        const changeset = nextChangeset(database, { checkpoint })
        chain.append(changeset)
        sizes.push(changeset.bytes.length)
      }
      const sum = (from: number) => sizes.slice(from).reduce((total, size) => total + size, 0)
      append(null)
      append(null)
      expect(chain.bytesSinceCheckpoint()).toBe(sum(0))
      append(checkpointAt(2))
      expect(chain.bytesSinceCheckpoint()).toBe(sum(2))
      append(checkpointAt(2))
      expect(chain.bytesSinceCheckpoint()).toBe(sum(2))
      expect(chain.checkpoint()).toEqual(checkpointAt(2))
    })

    it('goes back to an earlier point and knows nothing of what came after', () => {
      const database = open()
      const { chain } = database
      const orphan = hashOf('orphan')
      chain.append(nextChangeset(database))
      const point = chain.point() ?? emptyStorePoint
      const kept = { fileId: fileId(1), version: 0, untilVersion: 1, state: state('a') }
      database.history.add(kept)
      chain.append(nextChangeset(database, { adopts: [orphan], checkpoint: checkpointAt(1) }))
      database.history.add({ ...kept, version: 1, untilVersion: 2 })
      expect(chain.isAdopted(orphan)).toBe(true)
      chain.rewind({ point, digest: emptyDigest, checkpoint: null })
      expect(chain.point()).toEqual(point)
      expect(chain.hashAt(2)).toBeNull()
      expect(chain.isAdopted(orphan)).toBe(false)
      expect(chain.checkpoint()).toBeNull()
      expect(chain.bytesSinceCheckpoint()).toBe(chain.bytesAt(1)?.length)
      expect(database.history.ofFile(fileId(1), { limit: 9 })).toEqual([kept])
      chain.append(nextChangeset(database, { nonce: '01' }))
      expect(chain.point()?.version).toBe(2)
      expect(() =>
        chain.rewind({ point: { version: 9, hash: orphan }, digest: emptyDigest, checkpoint: null }),
      ).toThrow(expect.objectContaining({ code: 'internal' }))
    })

    it('is set as a checkpoint states it, without a gap or not at all', () => {
      const database = open()
      const { chain } = database
      chain.append(nextChangeset(database))
      const known = [5, 6, 7].map((version) => ({ version, hash: hashOf(`${version}`) }))
      const target = { version: 7, hash: hashOf('7') }
      const to = { replicaSet, point: target, digest: hashOf('d'), checkpoint: checkpointAt(7) }
      for (const broken of [known.filter(({ version }) => version !== 6), known.slice(0, 2)])
        expect(() => chain.reset({ ...to, chain: broken })).toThrow(
          expect.objectContaining({ code: 'internal' }),
        )
      expect(chain.point()?.version).toBe(1)
      chain.reset({ ...to, chain: known })
      expect([chain.point(), chain.digest(), chain.replicaSet(), chain.checkpoint()]).toEqual([
        target,
        hashOf('d'),
        replicaSet,
        checkpointAt(7),
      ])
      expect([chain.oldestKnown(), chain.hashAt(1), chain.hashAt(6), chain.bytesAt(6)]).toEqual([
        5,
        null,
        hashOf('6'),
        null,
      ])
      expect(chain.bytesSinceCheckpoint()).toBe(0)
      chain.reset({ replicaSet: null, point: null, digest: emptyDigest, checkpoint: null, chain: [] })
      expect([chain.point(), chain.oldestKnown()]).toEqual([null, null])
    })

    it('keeps attempts and orphans until they are taken away', () => {
      const { chain } = open()
      const attempt = (version: number) => ({
        parent: { version: version - 1, hash: hashOf('p') },
        point: { version, hash: hashOf(`${version}`) },
        bytes: Buffer.from([0, 255]),
      })
      chain.putAttempt(attempt(3))
      chain.putAttempt(attempt(2))
      chain.putAttempt(attempt(2))
      expect(chain.attempts().map(({ point, parent, bytes }) => [point, parent, [...bytes]])).toEqual(
        [2, 3].map(attempt).map(({ point, parent }) => [point, parent, [0, 255]]),
      )
      chain.removeAttempt(hashOf('2'))
      expect(chain.attempts()).toHaveLength(1)
      for (const orphan of ['z', 'a', 'z']) chain.putOrphan(hashOf(orphan))
      expect(chain.orphans()).toEqual([hashOf('z'), hashOf('a')])
      chain.clearOrphans([hashOf('z'), hashOf('unknown')])
      expect(chain.orphans()).toEqual([hashOf('a')])
    })
  })

  describe(`${name}: conflicts`, () => {
    it('are read as they were put, open and resolved', () => {
      const { conflicts } = open()
      const [first, second] = [
        conflict(1, fileId(1)),
        conflict(2, fileId(1), {
          kind: 'metadata',
          aspect: 'metadata.owner',
          base: { hash: hashOf('null'), size: 4, value: null },
          path: 'ä',
        }),
      ]
      conflicts.put(second)
      conflicts.put(first)
      conflicts.put({ ...first, base: null })
      expect(conflicts.get(second.id)).toEqual(second)
      expect(conflicts.ofFile(fileId(1))).toEqual([{ ...first, base: null }, second])
      expect(conflicts.page({ limit: 1 })).toHaveLength(1)
      expect(conflicts.page({ limit: 9, after: first.id })).toEqual([second])
      expect(conflicts.count()).toBe(2)
      conflicts.resolve(second.id, { strategy: 'merge', version: 4, at })
      conflicts.resolve(second.id, { strategy: 'local', version: 5, at })
      expect(conflicts.get(second.id)).toBeNull()
      expect(conflicts.resolved(second.id)).toEqual({ conflict: second, strategy: 'merge', version: 4, at })
      expect(conflicts.resolved(first.id)).toBeNull()
      expect(conflicts.count()).toBe(1)
      conflicts.put(second)
      expect([conflicts.count(), conflicts.resolved(second.id)]).toEqual([2, null])
      conflicts.remove(second.id)
      expect([conflicts.count(), conflicts.get(second.id), conflicts.resolved(second.id)]).toEqual([
        1,
        null,
        null,
      ])
    })

    it('take a difference that waits for a resolution out of the dirty set, and give it back', () => {
      const { trees, conflicts } = open()
      trees.putSynced(fileId(1), state('a', 'base'))
      trees.putRemote(remote(fileId(1), state('a', 'base')))
      trees.putLocal(local(fileId(1), state('a', 'mine')))
      expect(trees.counts().pending).toBe(1)
      conflicts.put(conflict(1, fileId(1)))
      expect(trees.counts().pending).toBe(0)
      conflicts.resolve(conflict(1, fileId(1)).id, { strategy: 'local', version: 2, at })
      expect(trees.counts().pending).toBe(1)
    })
  })

  describe(`${name}: history, runs, events, notes`, () => {
    it('lists the versions of a file, newest first', () => {
      const { history } = open()
      const version = (n: number) => ({
        fileId: fileId(1),
        version: n,
        untilVersion: n + 1,
        state: state(`v${n}`),
      })
      for (const n of [1, 2, 3]) history.add(version(n))
      history.add(version(2))
      history.add({ ...version(9), fileId: fileId(2) })
      expect(history.ofFile(fileId(1), { limit: 2 })).toEqual([version(3), version(2)])
      expect(history.ofFile(fileId(1), { limit: 2, before: 2 })).toEqual([version(1)])
    })

    it('lists finished runs, newest first, and prunes the oldest', () => {
      const { runs } = open()
      for (const runId of ['b', 'a', 'c']) {
        runs.start({ runId, kind: 'incremental', trigger: 'watch', startedAt: at })
        expect(runs.get(runId)).toBeNull()
        runs.finish(summary(runId))
      }
      runs.start({ runId: 'open', kind: 'full', trigger: 'start', startedAt: at })
      expect(runs.get('a')).toEqual(summary('a'))
      expect(runs.page({ limit: 2 }).map(({ runId }) => runId)).toEqual(['c', 'a'])
      expect(runs.page({ limit: 2, before: 'a' }).map(({ runId }) => runId)).toEqual(['b'])
      runs.prune(1)
      expect(runs.page({ limit: 9 }).map(({ runId }) => runId)).toEqual(['c'])
      runs.finish(summary('open'))
      expect(runs.page({ limit: 9 }).map(({ runId }) => runId)).toEqual(['open', 'c'])
    })

    it('numbers events for ever, though the oldest go', () => {
      const { events } = open()
      expect(events.lastId()).toBe(0)
      const put = (type: 'file.added' | 'sync.started', n: number) =>
        events.append({ type, data: { n } }, at, 'desk')
      put('file.added', 1)
      put('sync.started', 2)
      const third = put('file.added', 3)
      expect(events.since(0, 9, ['file.added']).map(({ data }) => data)).toEqual([{ n: 1 }, { n: 3 }])
      expect(events.since(2, 9)).toEqual([third])
      events.prune(0)
      expect(events.since(0, 9)).toEqual([])
      expect(events.lastId()).toBe(3)
      expect(put('file.added', 4).id).toBe(4)
      put('file.added', 5)
      events.prune(1)
      expect(events.since(0, 9).map(({ id }) => id)).toEqual([5])
    })

    it('keeps settings, problems and pulled files', () => {
      const { settings, problems, pulled } = open()
      settings.set('key', { list: [1, 'ü', null, false] })
      expect(settings.get('key')).toEqual({ list: [1, 'ü', null, false] })
      settings.set('key', false)
      expect(settings.get('key')).toBe(false)
      settings.set('key', null)
      expect(settings.get('key')).toBeNull()

      const problem = (path: string, code: string) => ({ path, code, detail: 'so' })
      expect(problems.put(problem('b', 'x'), at)).toBe(true)
      expect(problems.put({ ...problem('b', 'x'), detail: 'new' }, at)).toBe(false)
      expect(problems.put(problem('a', 'y'), at)).toBe(true)
      expect(problems.put(problem('a', 'x'), at)).toBe(true)
      const all = [problem('a', 'x'), problem('a', 'y'), { ...problem('b', 'x'), detail: 'new' }]
      expect(problems.page({ limit: 9 })).toEqual(all)
      expect(problems.page({ limit: 9, after: { path: 'a', code: 'x' } })).toEqual(all.slice(1))
      expect(problems.clear('a', 'y')).toBe(true)
      expect(problems.clear('a', 'y')).toBe(false)
      expect(problems.count()).toBe(2)

      pulled.add({ id: fileId(2), path: 'b', hash: hashOf('b') })
      pulled.add({ id: fileId(1), path: 'a', hash: hashOf('a') })
      pulled.add({ id: fileId(2), path: 'c', hash: hashOf('c') })
      expect(pulled.all()).toEqual([
        { id: fileId(1), path: 'a', hash: hashOf('a') },
        { id: fileId(2), path: 'c', hash: hashOf('c') },
      ])
      pulled.clear()
      expect(pulled.all()).toEqual([])
    })
  })
}
