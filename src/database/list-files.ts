/**
 * Lists of files over the trees, ascending by path. A live file is listed by the path it has on disk; one that is not
 * on disk here by its path in the remote tree. Two index scans are merged as they are read, so that a page costs what
 * it holds and not what the trees hold.
 */
import type { FileTriple } from '../model/file-state.ts'
import { comparePaths } from '../model/path.ts'
import { decodeUuid } from './columns.ts'
import type { FileQuery } from './database.ts'
import type { DirtySet } from './dirty-set.ts'
import { rangeOfPrefix } from './path-range.ts'
import type { Store } from './store.ts'

interface Listed {
  readonly id: Buffer
  readonly path: string
  /** 1: the other scan lists this file. */
  readonly covered: number
}

/** A file on disk, as far as it is settled. */
function onDisk(alias: string): string {
  return `${alias}.presence <> 1 AND ${alias}.absence IS NULL`
}

export function fileLister(store: Store, dirtySet: DirtySet): (query: FileQuery) => FileTriple[] {
  return (query) => {
    const scans = query.deleted === true ? [deletedScan(query)] : [localScan(query), remoteScan(query)]
    const iterators = scans.map((scan) =>
      store.connection.prepare<unknown[], Listed>(scan.sql).iterate(...scan.values),
    )
    try {
      return [...merge(iterators, query.limit)].map((row) => dirtySet.triple(decodeUuid(row.id)))
    } finally {
      for (const iterator of iterators) iterator.return?.()
    }
  }
}

/** Merges ascending scans; ends after `limit` rows and those that share the last one's path. */
function* merge(scans: readonly Iterator<Listed>[], limit: number): Generator<Listed> {
  const heads = scans.map((scan) => scan.next())
  let count = 0
  let lastPath: string | null = null
  for (;;) {
    let first: { readonly index: number; readonly row: Listed } | null = null
    for (const [index, head] of heads.entries()) {
      if (head.done === true) continue
      if (first === null || comparePaths(head.value.path, first.row.path) < 0)
        first = { index, row: head.value }
    }
    if (first === null) return
    const { index, row } = first
    heads[index] = (scans[index] as Iterator<Listed>).next()
    if (row.covered === 1) continue
    if (count >= limit && row.path !== lastPath) return
    yield row
    count += 1
    lastPath = row.path
  }
}

interface Scan {
  readonly sql: string
  readonly values: unknown[]
}

function localScan(query: FileQuery): Scan {
  return scan(query, 'local_files', onDisk('f'), '0')
}

function remoteScan(query: FileQuery): Scan {
  const covered = `EXISTS (SELECT 1 FROM local_files AS l WHERE l.id = f.id AND ${onDisk('l')})`
  return scan(query, 'remote_files', 'f.deleted_version IS NULL', covered)
}

function deletedScan(query: FileQuery): Scan {
  return scan(query, 'remote_files', 'f.deleted_version IS NOT NULL', '0')
}

function scan(query: FileQuery, table: string, condition: string, covered: string): Scan {
  const status = statusOf(query)
  const where = [condition, ...status.where]
  const values: unknown[] = []
  const range = rangeOfPrefix(query.prefix ?? '')
  // One lower bound only: of two the query planner might seek by the lesser one.
  if (query.after !== undefined && comparePaths(query.after, range.from) >= 0) {
    where.push('f.path > ?')
    values.push(query.after)
  } else {
    where.push('f.path >= ?')
    values.push(range.from)
  }
  if (range.until !== null) {
    where.push('f.path < ?')
    values.push(range.until)
  }
  if (query.label !== undefined) {
    where.push(
      "f.metadata IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(f.metadata, '$.labels') AS label WHERE label.value = ?)",
    )
    values.push(query.label)
  }
  const from =
    status.driver === null ? `${table} AS f` : `${status.driver} CROSS JOIN ${table} AS f ON ${status.on}`
  return {
    sql: `SELECT f.id AS id, f.path AS path, ${covered} AS covered FROM ${from}
      WHERE ${where.join(' AND ')} ORDER BY f.path, f.id`,
    values,
  }
}

/** The few files of a state lead (CROSS JOIN keeps that order); `synced` is what none of them names. */
function statusOf(query: FileQuery): {
  readonly driver: string | null
  readonly on: string
  readonly where: readonly string[]
} {
  if (query.status === undefined) return { driver: null, on: '', where: [] }
  switch (query.status) {
    case 'pending':
      return { driver: '(SELECT id FROM dirty WHERE minor = 0) AS d', on: 'f.id = d.id', where: [] }
    case 'conflict':
      return {
        driver: '(SELECT DISTINCT file_id AS id FROM conflicts WHERE strategy IS NULL) AS d',
        on: 'f.id = d.id',
        where: [],
      }
    case 'problem':
      return { driver: '(SELECT DISTINCT path FROM problems) AS d', on: 'f.path = d.path', where: [] }
    case 'synced':
      return {
        driver: null,
        on: '',
        where: [
          'NOT EXISTS (SELECT 1 FROM dirty AS d WHERE d.id = f.id AND d.minor = 0)',
          'NOT EXISTS (SELECT 1 FROM conflicts AS c WHERE c.file_id = f.id AND c.strategy IS NULL)',
          'NOT EXISTS (SELECT 1 FROM problems AS p WHERE p.path = f.path)',
        ],
      }
  }
}
