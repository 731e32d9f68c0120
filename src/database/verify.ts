/** Whether the database agrees with itself. Reads everything, changes nothing. */
import type { StateDigest } from '../model/changeset.ts'
import { decodeHash, decodeUuid } from './columns.ts'
import { type Counters, readCounters } from './counters.ts'
import type { Chain, Conflicts } from './database.ts'
import { DigestSum } from './digest-sum.ts'
import type { DirtySet } from './dirty-set.ts'
import { limit } from './limit.ts'
import type { Store } from './store.ts'
import { type RemoteRow, remoteColumnNames, toRemoteFile } from './tree-rows.ts'

export interface Finding {
  readonly detail: string
  readonly path?: string
}

/** After so many the rest says nothing new. */
const findingsMax = 1_000
const pageRows = 500

export function verifyDatabase(
  store: Store,
  parts: { readonly dirtySet: DirtySet; readonly conflicts: Conflicts; readonly chain: Chain },
): Finding[] {
  const findings: Finding[] = []
  for (const check of [integrity, counts, dirtyRows, livePaths, digest]) {
    for (const finding of check(store, parts)) {
      findings.push(finding)
      if (findings.length >= findingsMax) return findings
    }
  }
  return findings
}

type Parts = Parameters<typeof verifyDatabase>[1]

function* integrity({ connection }: Store): Generator<Finding> {
  const rows = connection.pragma('integrity_check(100)') as { integrity_check: string }[]
  for (const row of rows) {
    if (row.integrity_check !== 'ok') yield { detail: `SQLite: ${row.integrity_check}` }
  }
}

function* counts({ connection, counters }: Store): Generator<Finding> {
  const counted = readCounters(connection)
  for (const name of Object.keys(counted) as (keyof Counters)[]) {
    if (counters[name] !== counted[name])
      yield { detail: `the count of ${name} is kept as ${counters[name]}, the rows are ${counted[name]}` }
  }
}

/** Every file of any tree is judged anew and held against the dirty set. */
function* dirtyRows({ connection }: Store, { dirtySet }: Parts): Generator<Finding> {
  const page = connection.prepare<[Buffer, number], { id: Buffer; minor: number | null }>(
    `SELECT ids.id AS id, d.minor AS minor FROM (
       SELECT id FROM local_files UNION SELECT id FROM synced_files UNION SELECT id FROM remote_files
       UNION SELECT id FROM dirty ORDER BY id) AS ids
     LEFT JOIN dirty AS d ON d.id = ids.id WHERE ids.id > ? ORDER BY ids.id ${limit}`,
  )
  let after: Buffer = Buffer.alloc(0)
  for (;;) {
    const rows = page.all(after, pageRows)
    for (const row of rows) {
      const id = decodeUuid(row.id)
      const recorded = row.minor === null ? 'clean' : row.minor === 1 ? 'minor' : 'dirty'
      const judged = dirtySet.judge(id)
      if (recorded === judged) continue
      const { local, synced, remote } = dirtySet.triple(id)
      const path = (local?.state ?? remote?.state ?? synced)?.path
      yield {
        detail: `${id} is recorded as ${recorded} and is ${judged}`,
        ...(path === undefined ? {} : { path }),
      }
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageRows) return
    after = last.id
  }
}

function* livePaths({ connection }: Store): Generator<Finding> {
  const paths = connection
    .prepare<[], string>(
      `SELECT path FROM remote_files WHERE deleted_version IS NULL
        GROUP BY path HAVING count(*) > 1 ORDER BY path LIMIT 1000`,
    )
    .pluck()
  for (const path of paths.all())
    yield { detail: 'two live files of the remote tree stand at this path', path }
}

function* digest(store: Store, { conflicts, chain }: Parts): Generator<Finding> {
  if (chain.point() === null) return
  // The row itself: what is kept of it in memory would not show that somebody changed it.
  const row = store.connection.prepare<[], Buffer>('SELECT digest FROM head WHERE id = 1').pluck().get()
  const said = row === undefined ? 'nothing' : decodeHash(row)
  const found = digestOf(store, conflicts)
  if (found !== said) yield { detail: `the digest of the remote tree is ${found}, the chain says ${said}` }
}

/** The digest as the rows make it. */
function digestOf({ connection }: Store, conflicts: Conflicts): StateDigest {
  const sum = new DigestSum()
  const files = connection.prepare<[], RemoteRow>(
    `SELECT ${remoteColumnNames.join(', ')} FROM remote_files WHERE deleted_version IS NULL`,
  )
  for (const row of files.iterate()) {
    const { id, state } = toRemoteFile(row)
    sum.add({ kind: 'file', id, state })
  }
  const contents = connection.prepare<[], { hash: Buffer; size: number; name: string }>(
    'SELECT hash, size, name FROM contents',
  )
  for (const { hash, size, name } of contents.iterate())
    sum.add({ kind: 'content', hash: decodeHash(hash), size, name })
  let page = conflicts.page({ limit: pageRows })
  while (page.length > 0) {
    for (const conflict of page) sum.add({ kind: 'conflict', conflict })
    const last = page.at(-1)
    page = last === undefined ? [] : conflicts.page({ after: last.id, limit: pageRows })
  }
  return sum.toString()
}
