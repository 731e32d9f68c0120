/**
 * The port to the folder that is replicated. It answers what is there, and changes it one small step at a time; each
 * step first looks whether the disk still holds what the caller decided on, and says so instead of overwriting.
 *
 * Promises of every implementation: nothing outside the workspace and the state folder is ever written; no component
 * of a path is a symbolic link; a reader of a path sees the old content or the new one, never a part; nothing that
 * may be the last copy is removed without going to the trash.
 */
import type { ContentSink, ContentSource } from '../model/content.ts'
import type { ContentHash, DiskStamp, FileId, FileKind, FilePath } from '../model/file-state.ts'
import type { Problem } from '../model/run.ts'

export type ScanEntry =
  | {
      readonly kind: 'file'
      readonly path: FilePath
      readonly stamp: DiskStamp
      readonly executable: boolean
      readonly mtimeUs: number
    }
  /**
   * A folder that holds nothing replicated: empty, or only with skipped links; or, with `holdsIgnored`, with something
   * that is ignored, which makes no entry of it and ends none.
   */
  | {
      readonly kind: 'folder'
      readonly path: FilePath
      readonly stamp: DiskStamp
      readonly holdsIgnored?: true
    }
  /**
   * Could not be read, or is a link, which is not followed: whatever the index knows at and below this path stays
   * unknown in this run.
   */
  | { readonly kind: 'unknown'; readonly path: FilePath; readonly why: 'unreadable' | 'link' }

export interface ScanBatch {
  /** In ascending order of the path's UTF-8 bytes, over all batches of one scan; at most a few thousand. */
  readonly entries: readonly ScanEntry[]
  /** Links, sockets, names that are not UTF-8, folders that cannot be read; each path at most once a scan. */
  readonly problems: readonly Problem[]
}

export interface HashedFile {
  readonly hash: ContentHash
  readonly stamp: DiskStamp
  readonly executable: boolean
  readonly mtimeUs: number
  /** Its mtime is so fresh that a later change might leave it as it is. */
  readonly racy: boolean
}

/** How the root looks against what was remembered. */
export type RootState =
  | { readonly kind: 'present' }
  | { readonly kind: 'vanished' }
  /** Another folder, or another disk, or no marker in it. */
  | { readonly kind: 'replaced'; readonly detail: string }
  /** The marker is an older one: the folder was restored from a backup. */
  | { readonly kind: 'restored' }

/** What a writing step found. `changed`: the disk is not as expected, nothing was done; look and decide again. */
export type StepResult =
  | { readonly kind: 'done'; readonly stamp: DiskStamp; readonly racy: boolean; readonly mtimeUs: number }
  | { readonly kind: 'changed' }
  /** A file stands where a folder is needed, at `path`. */
  | { readonly kind: 'blocked'; readonly path: FilePath }
  /** This file system cannot hold the name. */
  | { readonly kind: 'unrepresentable'; readonly detail: string }

/** `gone`: nothing was there any more. It may stand under another name now. */
export type RemoveResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'gone' }

/** Where the old content goes: to the trash, or nowhere because the store was seen to have it. */
export type OldContent = 'trash' | 'drop'

/** A content being collected in the state folder, on the file system of the workspace where possible. */
export interface StagedContent {
  /** Absolute path of the collecting file in the state folder. */
  readonly path: string
  readonly sink: ContentSink
  /** Closes the file; `durable` calls fsync. */
  finish(options: { readonly durable: boolean }): Promise<void>
  /** What was collected, to be read back, also after something else wrote to `path`. After `finish`. */
  reread(): Promise<ContentSource>
  /** Removes it. Also safe after it was placed. */
  discard(): Promise<void>
}

export interface Attributes {
  readonly executable: boolean
  readonly mtimeUs: number
}

export type WorkspaceChange =
  /** These paths, and everything below them, may have changed. */
  | { readonly kind: 'paths'; readonly paths: readonly FilePath[] }
  /** Anything may have changed: queue overflow, too many changes, ignore rules edited. */
  | { readonly kind: 'everything'; readonly reason: string }
  /** The root was deleted, replaced, or cannot be watched any more. */
  | { readonly kind: 'root'; readonly detail: string }

export interface WorkspaceWatch {
  /** What it really does now; falls back to polling where native watching is impossible. */
  readonly mode: 'native' | 'polling' | 'off'
  /** Why it polls although native watching was asked for; `null` otherwise. */
  readonly fallback: string | null
  /**
   * Resolves when every change finished on disk before the call has been handed to the listener. `false` when that
   * cannot be established (a full scan is needed instead).
   */
  flush(signal?: AbortSignal): Promise<boolean>
  close(): Promise<void>
}

export interface Workspace {
  /** Absolute path, for messages. */
  readonly root: string

  /** Looks at the root and its marker. Cheap; called before each run and before each batch of deletions. */
  rootState(): Promise<RootState>
  /**
   * Writes the marker with a fresh token and remembers the root's identity: at the first start and at each later one.
   * `onlyRemembered` (default false): not where the marker that is remembered does not stand any more.
   */
  renewMarker(token: string, options?: { readonly onlyRemembered?: boolean }): Promise<void>

  /**
   * Tells what is at and below `under` (`''` for everything). Symbolic links are not followed; ignored paths and the
   * state folder are left out. What vanishes meanwhile is left out. Rejects with `workspace-vanished` when the root
   * cannot be read; with the signal's reason on abort.
   */
  scan(options: { readonly under: FilePath; readonly signal?: AbortSignal }): AsyncIterable<ScanBatch>
  /** Whether an ignore rule or the state folder covers the path. A rule such as `build/` covers folders only. */
  isIgnored(path: FilePath, kind?: FileKind): boolean
  /** One entry, freshly looked at; `null` when nothing replicable is there; `unknown` when it cannot be told. */
  look(path: FilePath): Promise<ScanEntry | null>

  /**
   * Reads and hashes, in a worker. Repeats when the file changes meanwhile, a few times, then rejects with
   * `file-busy`. Rejects with `file-changed` when it vanished or is no file, `file-unreadable` on EACCES or EIO.
   */
  hash(path: FilePath, signal?: AbortSignal): Promise<HashedFile>
  /** The file's bytes. Reading fails with `file-changed` when it is not, before and after, the file of that stamp. */
  source(path: FilePath, stamp: DiskStamp): ContentSource

  /** A place for a download or an edit. Rejects with `disk-full` when `size` bytes do not fit beside a reserve. */
  stage(size: number): Promise<StagedContent>
  /**
   * Puts a staged content at `path`, making the folders above it. `expected` is what the caller knows to be there
   * (`null`: nothing). What is replaced goes to `old`. The staged file is used up when `done`.
   */
  place(
    staged: StagedContent,
    path: FilePath,
    options: {
      readonly expected: DiskStamp | null
      readonly attributes: Attributes
      readonly old: OldContent
      /** fsync of file and folder before it returns. */
      readonly durable: boolean
    },
  ): Promise<StepResult>
  /** Renames a file or an empty folder to a path where nothing is. Works for a change of case only. */
  move(
    from: FilePath,
    to: FilePath,
    expected: DiskStamp,
    options?: {
      /**
       * The new name is on the disk before the old one goes. Default true. Without, and on a file system that reorders
       * names, a power cut may leave the file in the trash only.
       */
      readonly durable: boolean
    },
  ): Promise<StepResult>
  /** Takes a file out of the way of a cycle of renames, into the state folder under the file's id. */
  park(id: FileId, path: FilePath, expected: DiskStamp): Promise<RemoveResult>
  /** Brings a parked file to a path where nothing is. */
  unpark(id: FileId, to: FilePath): Promise<StepResult>
  /** Ids of parked files, left over by a crash. */
  parked(): Promise<FileId[]>
  /** Removes a file. */
  remove(
    path: FilePath,
    options: { readonly expected: DiskStamp; readonly old: OldContent },
  ): Promise<RemoveResult>
  /** Makes a folder and those above it. `done` when it is there already. */
  makeFolder(path: FilePath): Promise<StepResult>
  /** Removes a folder when it is empty; otherwise leaves it. Never rejects for being not empty or missing. */
  removeFolder(path: FilePath): Promise<void>
  /** Removes the folders above `path` that are empty, up to the root, as far as `keep` answers false. */
  removeEmptyParents(path: FilePath, keep: (folder: FilePath) => boolean): Promise<void>
  setAttributes(path: FilePath, expected: DiskStamp, attributes: Attributes): Promise<StepResult>
  /**
   * Resolves when no power cut can undo what the steps before it did to names and attributes: one fsync per folder,
   * however many files. Before anybody writes down that they are done. Not for contents placed without `durable`, nor
   * for their names.
   */
  makeDurable(): Promise<void>

  /** Starts watching. The listener is called from a later turn, never within the call. */
  watch(listener: (change: WorkspaceChange) => void): Promise<WorkspaceWatch>
  /** Removes leftovers of earlier processes (temporary files), and trash older than `trashAgeMs`. Not what is parked. */
  cleanUp(options: { readonly trashAgeMs: number; readonly nowMs: number }): Promise<void>
  close(): Promise<void>
}
