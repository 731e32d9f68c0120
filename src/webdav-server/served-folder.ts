/**
 * The served folder with what its verbs share: one queue for changes of names, and a place where contents wait until
 * they are whole. One server per folder.
 */
import { mkdirSync, rmdirSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HttpFailure, systemCode } from './http-failure.ts'
import { uploadFolderName } from './served-path.ts'

export class ServedFolder {
  readonly root: string
  readonly #uploads: string
  #uploadsOpen = 0
  #uploadCount = 0
  #queue: Promise<unknown> = Promise.resolve()

  /** `root` is an absolute path without links. */
  constructor(root: string) {
    this.root = root
    this.#uploads = join(root, uploadFolderName)
  }

  /** Removes what uploads of a killed server left. Before the first request. */
  async removeLeftovers(): Promise<void> {
    await rm(this.#uploads, { recursive: true, force: true })
  }

  /**
   * Runs one change of names after the other, so that "is the target free" and the rename that follows are one step.
   * A failed change does not hold up the next.
   */
  exclusively<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(change)
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  /**
   * Hands a fresh path on the same file system to `use`, and removes whatever is left there afterwards: a content is
   * made there whole and renamed to its name, and a deleted tree is renamed to there first.
   */
  async withTemporary<T>(use: (file: string) => Promise<T>): Promise<T> {
    // Made and removed synchronously: no other request runs between the count and the folder.
    if (this.#uploadsOpen === 0) mkdirSync(this.#uploads, { recursive: true, mode: 0o700 })
    this.#uploadsOpen++
    this.#uploadCount++
    const file = join(this.#uploads, `${process.pid}-${this.#uploadCount}`)
    try {
      return await use(file)
    } finally {
      await rm(file, { recursive: true, force: true })
      this.#uploadsOpen--
      if (this.#uploadsOpen === 0) this.#removeUploads()
    }
  }

  #removeUploads(): void {
    try {
      rmdirSync(this.#uploads)
    } catch (error) {
      // What somebody else put there goes at the next start.
      if (systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'ENOENT') throw error
    }
  }
}

/** Renames; a vanished source or parent is the client's race (409), not a missing resource. */
export async function renameOrConflict(source: string, target: string): Promise<void> {
  await rename(source, target).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw new HttpFailure(409, 'the folder is gone')
    throw error
  })
}

/** Makes changes of names in a folder durable. Windows cannot and need not open folders for that. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r').catch((error: unknown) => {
    // Deleted meanwhile by another client: then there is nothing to keep.
    if (systemCode(error) === 'ENOENT') return null
    throw error
  })
  if (handle === null) return
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
