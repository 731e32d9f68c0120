/**
 * The chain as far as this instance knows it: the head that the remote tree stands for, the journal of applied
 * changesets, commits under way. `append` is the gate: what does not follow the head never gets in.
 */
import { asc, eq, gt, min, sql } from 'drizzle-orm'
import {
  type ChainPoint,
  type CheckpointReference,
  emptyStorePoint,
  type StateDigest,
} from '../model/changeset.ts'
import { emptyDigest } from '../model/digest.ts'
import { DavitError } from '../model/errors.ts'
import type { JsonValue } from '../model/json.ts'
import type { Chain } from './database.ts'
import { once } from './once.ts'
import { adoptions, attempts, fileVersions, head, journal, orphans } from './schema/index.ts'
import type { Store } from './store.ts'

interface Head {
  readonly replicaSet: string | null
  readonly point: ChainPoint | null
  readonly digest: StateDigest
  readonly checkpoint: CheckpointReference | null
  readonly bytesSinceCheckpoint: number
}

const noHead: Head = {
  replicaSet: null,
  point: null,
  digest: emptyDigest,
  checkpoint: null,
  bytesSinceCheckpoint: 0,
}

export function chainOn({ orm, transactions }: Store): Chain {
  // Prepared: asked several times for each request and each page.
  const version = sql.placeholder('version')
  const headRow = once(() => orm.select().from(head).where(eq(head.id, 1)).prepare())
  const hashOf = once(() =>
    orm.select({ hash: journal.hash }).from(journal).where(eq(journal.version, version)).prepare(),
  )
  const bytesOf = once(() =>
    orm.select({ bytes: journal.bytes }).from(journal).where(eq(journal.version, version)).prepare(),
  )
  const attemptRows = once(() =>
    orm.select().from(attempts).orderBy(asc(attempts.version), asc(attempts.hash)).prepare(),
  )
  const orphanRows = once(() =>
    orm.select({ hash: orphans.hash }).from(orphans).orderBy(asc(orphans.sequence)).prepare(),
  )

  function readHead(): Head {
    const row = headRow().get()
    if (row === undefined) return noHead
    return {
      replicaSet: row.replicaSet,
      point: row.version === null || row.hash === null ? null : { version: row.version, hash: row.hash },
      digest: row.digest,
      checkpoint: row.checkpoint as unknown as CheckpointReference | null,
      bytesSinceCheckpoint: row.bytesSinceCheckpoint,
    }
  }

  function writeHead({ replicaSet, point, digest, checkpoint, bytesSinceCheckpoint }: Head): void {
    const row = {
      version: point?.version ?? null,
      hash: point?.hash ?? null,
      digest,
      replicaSet,
      checkpoint: checkpoint as unknown as JsonValue,
      bytesSinceCheckpoint,
    }
    orm
      .insert(head)
      .values({ id: 1, ...row })
      .onConflictDoUpdate({ target: head.id, set: row })
      .run()
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
      return hashOf().get({ version })?.hash ?? null
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
        orm
          .insert(journal)
          .values({ version: point.version, hash: point.hash, size: bytes.length, bytes })
          .run()
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
    bytesAt: (version) => bytesOf().get({ version })?.bytes ?? null,
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
          orm
            .insert(journal)
            .values({ ...known, size: 0, bytes: null })
            .run()
          last = known
        }
        if (last !== null && (last.version !== point?.version || last.hash !== point.hash))
          throw broken('the chain does not end at its head', last)
        if (last === null && point !== null && point.version > 0)
          orm
            .insert(journal)
            .values({ ...point, size: 0, bytes: null })
            .run()
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
          parent: { version: row.parentVersion, hash: row.parentHash },
          point: { version: row.version, hash: row.hash },
          bytes: row.bytes,
        })),
    putAttempt({ parent, point, bytes }) {
      const row = {
        hash: point.hash,
        version: point.version,
        parentVersion: parent.version,
        parentHash: parent.hash,
        bytes,
      }
      transactions.run(() =>
        orm.insert(attempts).values(row).onConflictDoUpdate({ target: attempts.hash, set: row }).run(),
      )
    },
    removeAttempt(hash) {
      transactions.run(() => orm.delete(attempts).where(eq(attempts.hash, hash)).run())
    },
    orphans: () =>
      orphanRows()
        .all()
        .map((row) => row.hash),
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

function broken(reason: string, point: ChainPoint): DavitError {
  return new DavitError('internal', `changeset ${point.version} cannot be taken: ${reason}`, {
    action: 'give-up',
    details: { version: point.version, hash: point.hash },
  })
}
