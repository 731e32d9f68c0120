/**
 * Makes a copied instance the one that it was: an index knows its folder and its files by inode and by change time,
 * which no copy has. What had changed since the index looked stays changed.
 */
import { existsSync, lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'

interface Row {
  readonly id: Buffer
  readonly inode: number
  readonly ctime: number
  readonly birthtime: number
}

export function keepIdentity(original: string, copy: string): void {
  const file = join(copy, '.davit', 'metadata.db')
  if (!existsSync(file)) return
  const database = new Sqlite(file)
  try {
    const tables = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'local_files'").all()
    if (tables.length === 0) return
    database.transaction(() => {
      const own = lstatSync(file)
      set(database, 'instance.place', { path: join(copy, '.davit'), inode: own.ino })
      const root = lstatSync(copy)
      set(database, 'workspace.root', { device: root.dev, inode: root.ino })
      moveStamps(database, counterparts(original, copy))
    })()
  } finally {
    database.close()
  }
}

function set(database: Sqlite.Database, key: string, fields: object): void {
  const text = database.prepare<[string], string>('SELECT value FROM settings WHERE key = ?').pluck().get(key)
  if (text === undefined) return
  const value = JSON.stringify({ ...JSON.parse(text), ...fields })
  database.prepare('UPDATE settings SET value = ? WHERE key = ?').run(value, key)
}

function moveStamps(database: Sqlite.Database, files: ReadonlyMap<number, readonly [Stats, Stats]>): void {
  const rows = database.prepare<[], Row>(
    `SELECT id, stamp_inode AS inode, stamp_ctime_ms AS ctime, stamp_birthtime_ms AS birthtime
       FROM local_files WHERE stamp_inode IS NOT NULL`,
  )
  const update = database.prepare(
    'UPDATE local_files SET stamp_inode = ?, stamp_ctime_ms = ?, stamp_birthtime_ms = ? WHERE id = ?',
  )
  for (const { id, inode, ctime, birthtime } of rows.all()) {
    const pair = files.get(inode)
    if (pair === undefined) continue
    const [before, now] = pair
    update.run(
      now.ino,
      ctime === before.ctimeMs ? now.ctimeMs : ctime,
      birthtime === before.birthtimeMs ? now.birthtimeMs : birthtime,
      id,
    )
  }
}

/** Inode of the original → what both are. */
function counterparts(original: string, copy: string): Map<number, readonly [Stats, Stats]> {
  const found = new Map<number, readonly [Stats, Stats]>()
  for (const name of readdirSync(original, { recursive: true }) as string[]) {
    const before = lstatSync(join(original, name))
    found.set(before.ino, [before, lstatSync(join(copy, name))])
  }
  return found
}
