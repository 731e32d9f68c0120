/**
 * The chain as far as this instance knows it: the head that the remote tree stands for, the journal of applied
 * changesets, commits under way. `append` is the gate: what does not follow the head never gets in.
 */
import { eq, gt, min, sql } from 'drizzle-orm'
import {
  type ChainPoint,
  type CheckpointReference,
  emptyStorePoint,
  type StateDigest,
} from '../model/changeset.ts'
import { emptyDigest } from '../model/digest.ts'
import { DavitError } from '../model/errors.ts'
import { decodeHash, encodeHash } from './columns.ts'
import type { Chain } from './database.ts'
import { once } from './once.ts'
import { adoptions, fileVersions, journal, orphans } from './schema/index.ts'
import type { Store } from './store.ts'
import { upsertSql } from './tree-rows.ts'

interface Head {
  readonly replicaSet: string | null
  readonly point: ChainPoint | null
  readonly digest: StateDigest
  readonly checkpoint: CheckpointReference | null
  readonly bytesSinceCheckpoint: number
}

interface HeadRow {
  readonly version: number | null
  readonly hash: Buffer | null
  readonly digest: Buffer
  readonly replica_set: string | null
  readonly checkpoint: string | null
  readonly bytes_since_checkpoint: number
}

interface AttemptRow {
  readonly hash: Buffer
  readonly version: number
  readonly parent_version: number
  readonly parent_hash: Buffer
  readonly bytes: Buffer
}

const headColumns = ['id', 'version', 'hash', 'digest', 'replica_set', 'checkpoint', 'bytes_since_checkpoint']
const attemptColumns = ['hash', 'version', 'parent_version', 'parent_hash', 'bytes']

const noHead: Head = {
  replicaSet: null,
  point: null,
  digest: emptyDigest,
  checkpoint: null,
  bytesSinceCheckpoint: 0,
}

export function chainOn({ connection, orm, transactions }: Store): Chain {
  // Prepared: these are asked with each request and each changeset.
  const headRow = once(() => connection.prepare<[], HeadRow>('SELECT * FROM head WHERE id = 1'))
  const putHead = once(() => connection.prepare(upsertSql('head', headColumns, ['id'])))
  const hashOf = once(() =>
    connection.prepare<[number], Buffer>('SELECT hash FROM journal WHERE version = ?').pluck(),
  )
  const bytesOf = once(() =>
    connection.prepare<[number], Buffer | null>('SELECT bytes FROM journal WHERE version = ?').pluck(),
  )
  const putJournal = once(() =>
    connection.prepare<[number, Buffer, number, Uint8Array | null]>(
      'INSERT INTO journal (version, hash, size, bytes) VALUES (?, ?, ?, ?)',
    ),
  )
  const attemptRows = once(() =>
    connection.prepare<[], AttemptRow>('SELECT * FROM attempts ORDER BY version, hash'),
  )
  const putAttempt = once(() => connection.prepare(upsertSql('attempts', attemptColumns, ['hash'])))
  const removeAttempt = once(() => connection.prepare<[Buffer]>('DELETE FROM attempts WHERE hash = ?'))
  const orphanRows = once(() =>
    connection.prepare<[], Buffer>('SELECT hash FROM orphans ORDER BY sequence').pluck(),
  )

  /** The row as it stands, kept in memory while no transaction has failed since. */
  let kept: { readonly head: Head; readonly failures: number } | null = null

  function readHead(): Head {
    if (kept === null || kept.failures !== transactions.failures)
      kept = { head: toHead(headRow().get()), failures: transactions.failures }
    return kept.head
  }

  function writeHead(head: Head): void {
    const { replicaSet, point, digest, checkpoint, bytesSinceCheckpoint } = head
    putHead().run([
      1,
      point?.version ?? null,
      point === null ? null : encodeHash(point.hash),
      encodeHash(digest),
      replicaSet,
      checkpoint === null ? null : JSON.stringify(checkpoint),
      bytesSinceCheckpoint,
    ])
    kept = { head, failures: transactions.failures }
  }

  function bytesSince(checkpoint: CheckpointReference | null): number {
    const sum = sql<number>`coalesce(sum(${journal.size}), 0)`
    const row = orm
      .select({ bytes: sum })
      .from(journal)
      .where(gt(journal.version, checkpoint?.version ?? 0))
      .get()
    return row?.bytes ?? 0
  }

  return {
    point: () => readHead().point,
    digest: () => readHead().digest,
    replicaSet: () => readHead().replicaSet,
    checkpoint: () => readHead().checkpoint,
    bytesSinceCheckpoint: () => readHead().bytesSinceCheckpoint,
    hashAt(version) {
      // The empty store's name is the same everywhere.
      if (version === 0) return readHead().point === null ? null : emptyStorePoint.hash
      const hash = hashOf().get(version)
      return hash === undefined ? null : decodeHash(hash)
    },
    oldestKnown: () =>
      orm
        .select({ version: min(journal.version) })
        .from(journal)
        .get()?.version ?? null,
    append(changeset) {
      const { point, header, bytes } = changeset
      transactions.run(() => {
        const before = readHead()
        const parent = before.point ?? emptyStorePoint
        if (point.version !== parent.version + 1 || header.version !== point.version)
          throw broken(`it does not follow version ${parent.version}`, point)
        if (header.parent !== parent.hash) throw broken('its parent is another changeset', point)
        if (before.replicaSet !== null && header.replicaSet !== before.replicaSet)
          throw broken('it belongs to another replica set', point)
        putJournal().run(point.version, encodeHash(point.hash), bytes.length, bytes)
        for (const orphan of header.adopts)
          orm.insert(adoptions).values({ version: point.version, orphan }).run()
        const sameCheckpoint = before.checkpoint?.name === header.checkpoint?.name
        writeHead({
          // The store's first changeset brings the replica set's id.
          replicaSet: header.replicaSet,
          point,
          digest: header.digest,
          checkpoint: header.checkpoint,
          bytesSinceCheckpoint: sameCheckpoint
            ? before.bytesSinceCheckpoint + bytes.length
            : bytesSince(header.checkpoint),
        })
      })
    },
    bytesAt: (version) => bytesOf().get(version) ?? null,
    rewind({ point, digest, checkpoint }) {
      transactions.run(() => {
        const before = readHead()
        if (before.point === null || point.version > before.point.version)
          throw broken('there is nothing to take back', point)
        orm.delete(journal).where(gt(journal.version, point.version)).run()
        orm.delete(adoptions).where(gt(adoptions.version, point.version)).run()
        // States that a changeset taken back had superseded are current again.
        orm.delete(fileVersions).where(gt(fileVersions.untilVersion, point.version)).run()
        writeHead({ ...before, point, digest, checkpoint, bytesSinceCheckpoint: bytesSince(checkpoint) })
      })
    },
    reset({ replicaSet, point, digest, checkpoint, chain }) {
      transactions.run(() => {
        orm.delete(journal).run()
        orm.delete(adoptions).run()
        let last: ChainPoint | null = null
        for (const known of chain) {
          if (known.version === 0) continue
          if (last !== null && known.version !== last.version + 1) throw broken('the chain has a gap', known)
          putJournal().run(known.version, encodeHash(known.hash), 0, null)
          last = known
        }
        if (last !== null && (last.version !== point?.version || last.hash !== point.hash))
          throw broken('the chain does not end at its head', last)
        if (last === null && point !== null && point.version > 0)
          putJournal().run(point.version, encodeHash(point.hash), 0, null)
        writeHead({ replicaSet, point, digest, checkpoint, bytesSinceCheckpoint: 0 })
      })
    },
    isAdopted: (hash) =>
      orm
        .select({ version: adoptions.version })
        .from(adoptions)
        .where(eq(adoptions.orphan, hash))
        .limit(1)
        .get() !== undefined,

    attempts: () =>
      attemptRows()
        .all()
        .map((row) => ({
          parent: { version: row.parent_version, hash: decodeHash(row.parent_hash) },
          point: { version: row.version, hash: decodeHash(row.hash) },
          bytes: row.bytes,
        })),
    putAttempt({ parent, point, bytes }) {
      const row = [encodeHash(point.hash), point.version, parent.version, encodeHash(parent.hash), bytes]
      transactions.run(() => putAttempt().run(row))
    },
    removeAttempt(hash) {
      transactions.run(() => removeAttempt().run(encodeHash(hash)))
    },
    orphans: () => orphanRows().all().map(decodeHash),
    putOrphan(hash) {
      transactions.run(() => orm.insert(orphans).values({ hash }).onConflictDoNothing().run())
    },
    clearOrphans(hashes) {
      transactions.run(() => {
        for (const hash of hashes) orm.delete(orphans).where(eq(orphans.hash, hash)).run()
      })
    },
  }
}

function toHead(row: HeadRow | undefined): Head {
  if (row === undefined) return noHead
  return {
    replicaSet: row.replica_set,
    point:
      row.version === null || row.hash === null ? null : { version: row.version, hash: decodeHash(row.hash) },
    digest: decodeHash(row.digest),
    checkpoint: row.checkpoint === null ? null : (JSON.parse(row.checkpoint) as CheckpointReference | null),
    bytesSinceCheckpoint: row.bytes_since_checkpoint,
  }
}

function broken(reason: string, point: ChainPoint): DavitError {
  return new DavitError('internal', `changeset ${point.version} cannot be taken: ${reason}`, {
    action: 'give-up',
    details: { version: point.version, hash: point.hash },
  })
}
