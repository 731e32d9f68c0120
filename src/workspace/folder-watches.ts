/**
 * One watch per folder, over the system's inotify. A folder is watched before it is listed, and the folders in it after
 * that, so that no folder can appear unseen; whoever is told of a new folder looks at everything below it.
 *
 * (A recursive watcher was measured first. It leaves folders unwatched that are made inside a new folder before its
 * watch stands, passes over the system's overflow mark, and over folders for which no watch is left.)
 */
import {
  type Dir,
  type FSWatcher,
  lstatSync,
  opendirSync,
  readdirSync,
  readFileSync,
  type Stats,
  watch,
} from 'node:fs'
import path from 'node:path'
import type { FilePath } from '../model/file-state.ts'
import { createHardLinks } from './hard-links.ts'
import type { IgnoreRules } from './ignore-rules.ts'
import { isMissing, isRefusal, systemCode } from './system-error.ts'

interface WatchedFolder {
  readonly watcher: FSWatcher
  readonly children: Map<string, WatchedFolder>
}

export interface FolderWatches {
  /** Reports what follows from the events so far and was not reported with them. */
  settle(): void
  close(): void
}

type Found =
  | { readonly kind: 'folder' }
  | { readonly kind: 'file'; readonly stats: Stats }
  | { readonly kind: 'other' }
  /** It may not be looked at now. */
  | { readonly kind: 'unknown' }

/** Throws what the system answers when no further watch can be had (`ENOSPC`, `EMFILE`). */
export function openFolderWatches(options: {
  readonly root: string
  readonly rules: IgnoreRules
  /** A path, and everything below it, may have changed. */
  onPath(changed: FilePath): void
  /**
   * Events were dropped, or may have been, those of new folders among them: the watches have to be made anew. Called
   * once; nothing is promised of what is reported after it.
   */
  onStale(reason: string): void
  /** Something changed, and it cannot be told where. */
  onLost(reason: string): void
  onError(error: unknown): void
}): FolderWatches {
  const { root, rules } = options
  const countEvent = createOverflowGuard(() => stale('the queue of file events overflowed'))
  let isStale = false
  const hardLinks = createHardLinks({ root, folders: watchedFolders })
  const tree: WatchedFolder | null = watchTree('')

  /** Watches the folder and all below it; `null` when it is gone or may not be read. */
  function watchTree(folder: FilePath): WatchedFolder | null {
    const top = watchFolder(folder)
    const open = top === null ? [] : [{ folder, watched: top }]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const name of subfolders(next.folder)) {
        const child = next.folder === '' ? name : `${next.folder}/${name}`
        const watched = watchFolder(child)
        if (watched === null) continue
        next.watched.children.set(name, watched)
        open.push({ folder: child, watched })
      }
    }
    return top
  }

  function watchFolder(folder: FilePath): WatchedFolder | null {
    try {
      const watcher = watch(path.join(root, folder), (type, name) => onEvent(folder, type, name))
      watcher.on('error', options.onError)
      return { watcher, children: new Map() }
    } catch (error) {
      if (isMissing(error) || isRefusal(error)) return null
      throw error
    }
  }

  function subfolders(folder: FilePath): string[] {
    try {
      return readdirSync(path.join(root, folder), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .filter((name) => !rules.ignores(folder === '' ? name : `${folder}/${name}`, 'folder'))
    } catch (error) {
      if (isMissing(error) || isRefusal(error)) return []
      throw error
    }
  }

  function isEmpty(folder: FilePath): boolean {
    let opened: Dir
    try {
      opened = opendirSync(path.join(root, folder))
    } catch (error) {
      if (isMissing(error) || isRefusal(error)) return false
      throw error
    }
    try {
      return opened.readSync() === null
    } finally {
      opened.closeSync()
    }
  }

  function onEvent(folder: FilePath, type: string, name: string | null): void {
    countEvent()
    if (name === null) {
      options.onPath(folder)
      return
    }
    const target = folder === '' ? name : `${folder}/${name}`
    try {
      const found = lookAt(target)
      // The root's own end is told under its own name. It may be back, with changes in it, before anybody looks.
      if (folder === '' && type === 'rename' && name === path.basename(root) && found === null)
        stale('the root was moved')
      if (found?.kind !== 'unknown') {
        const isFolder = found?.kind === 'folder'
        if (rules.ignores(target, isFolder ? 'folder' : 'file')) {
          // What is ignored keeps a folder from being empty, as long as it is there.
          if (found === null && folder !== '' && isEmpty(folder)) options.onPath(folder)
          return
        }
        follow(folder, name, { isFolder, isRename: type === 'rename' })
      }
      if (type === 'change' && found?.kind === 'file' && found.stats.nlink > 1)
        hardLinks.note(target, found.stats)
      options.onPath(target)
    } catch (error) {
      options.onError(error)
    }
  }

  function follow(folder: FilePath, name: string, what: { isFolder: boolean; isRename: boolean }): void {
    const parent = find(folder)
    const known = parent?.children.get(name)
    // A folder that was deleted and made again may even have its inode: on a rename event the watches are made anew.
    // A change of a folder's attributes comes as one, too, so what was refused in it is tried again when it may be had.
    if (known !== undefined && (what.isRename || !what.isFolder)) {
      parent?.children.delete(name)
      closeTree(known)
    }
    if (!what.isFolder || parent === null || parent.children.has(name)) return
    const watched = watchTree(folder === '' ? name : `${folder}/${name}`)
    if (watched !== null) parent.children.set(name, watched)
  }

  function lookAt(target: FilePath): Found | null {
    try {
      const stats = lstatSync(path.join(root, target), { throwIfNoEntry: false })
      if (stats === undefined) return null
      if (stats.isDirectory()) return { kind: 'folder' }
      return stats.isFile() ? { kind: 'file', stats } : { kind: 'other' }
    } catch (error) {
      if (isMissing(error)) return null
      if (isRefusal(error)) return { kind: 'unknown' }
      throw error
    }
  }

  function stale(reason: string): void {
    if (isStale) return
    isStale = true
    options.onStale(reason)
  }

  function find(folder: FilePath): WatchedFolder | null {
    let here = tree
    if (folder === '') return here
    for (const segment of folder.split('/')) here = here?.children.get(segment) ?? null
    return here
  }

  function* watchedFolders(): Generator<FilePath> {
    const open = tree === null ? [] : [{ folder: '', watched: tree }]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      yield next.folder
      for (const [name, watched] of next.watched.children)
        open.push({ folder: next.folder === '' ? name : `${next.folder}/${name}`, watched })
    }
  }

  return {
    settle() {
      try {
        const names = hardLinks.take()
        if (names === null) options.onLost('a file with several names changed')
        else for (const name of names) if (!rules.ignores(name, 'file')) options.onPath(name)
      } catch (error) {
        options.onError(error)
      }
    },
    close() {
      if (tree !== null) closeTree(tree)
    },
  }
}

function closeTree(tree: WatchedFolder): void {
  const open = [tree]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    next.watcher.close()
    open.push(...next.children.values())
  }
}

/**
 * Node does not pass the system's overflow mark on. But the queue is always emptied at one go, and one that had
 * overflowed was full: so many events in one turn of the loop mean that some may be missing.
 */
function createOverflowGuard(onOverflow: () => void): () => void {
  const suspiciousEvents = Math.ceil(queueLength() / 2)
  let events = 0
  return () => {
    if (events === 0)
      setImmediate(() => {
        if (events >= suspiciousEvents) onOverflow()
        events = 0
      })
    events++
  }
}

function queueLength(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8')) || 16_384
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'EACCES') return 16_384
    throw error
  }
}
