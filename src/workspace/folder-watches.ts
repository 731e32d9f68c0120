/**
 * One watch per folder, over the system's inotify. A folder is watched before it is listed, and the folders in it after
 * that, so that no folder can appear unseen; whoever is told of a new folder looks at everything below it.
 *
 * (A recursive watcher was measured first. It leaves folders unwatched that are made inside a new folder before its
 * watch stands, passes over the system's overflow mark, and over folders for which no watch is left.)
 */
import { type FSWatcher, lstatSync, readdirSync, readFileSync, watch } from 'node:fs'
import path from 'node:path'
import type { FilePath } from '../model/file-state.ts'
import type { IgnoreRules } from './ignore-rules.ts'
import { isMissing, systemCode } from './system-error.ts'

interface WatchedFolder {
  readonly watcher: FSWatcher
  readonly children: Map<string, WatchedFolder>
}

export interface FolderWatches {
  close(): void
}

/** Throws what the system answers when no further watch can be had (`ENOSPC`, `EMFILE`). */
export function openFolderWatches(options: {
  readonly root: string
  readonly rules: IgnoreRules
  /** A path, and everything below it, may have changed. */
  onPath(changed: FilePath): void
  /** The system's queue was so full that events may have been dropped. */
  onOverflow(): void
  onError(error: unknown): void
}): FolderWatches {
  const { root, rules } = options
  const countEvent = createOverflowGuard(options.onOverflow)
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
      if (isMissing(error) || systemCode(error) === 'EACCES') return null
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
      if (isMissing(error) || systemCode(error) === 'EACCES') return []
      throw error
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
      const parent = find(folder)
      const isFolder = lstatSync(path.join(root, target), { throwIfNoEntry: false })?.isDirectory() === true
      if (rules.ignores(target, isFolder ? 'folder' : 'file')) return
      const known = parent?.children.get(name)
      // A folder that was deleted and made again may even have its inode: on a rename event the watches are made anew.
      if (known !== undefined && (type === 'rename' || !isFolder)) {
        parent?.children.delete(name)
        closeTree(known)
      }
      if (isFolder && parent !== null && !parent.children.has(name)) {
        const watched = watchTree(target)
        if (watched !== null) parent.children.set(name, watched)
      }
      options.onPath(target)
    } catch (error) {
      options.onError(error)
    }
  }

  function find(folder: FilePath): WatchedFolder | null {
    let here = tree
    if (folder === '') return here
    for (const segment of folder.split('/')) here = here?.children.get(segment) ?? null
    return here
  }

  return {
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
