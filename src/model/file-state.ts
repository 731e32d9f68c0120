/** The nouns of the three trees: what one file or empty folder is, seen by one of them. */
import type { JsonValue } from './json.ts'

/** UUIDv7 in lower case; given when a file is first seen, kept over renames. */
export type FileId = string
/** UUIDv7 in lower case; one running Davit with its state folder. */
export type InstanceId = string
/** SHA-256 of a content in lower-case hexadecimal (64 characters). */
export type ContentHash = string
/**
 * A path in the workspace: segments joined by `/`, no leading or trailing slash, NFC or not as found on disk.
 * Compared and ordered by its UTF-8 bytes.
 */
export type FilePath = string

/** A folder has an entry of its own only while it holds nothing that is replicated. */
export type FileKind = 'file' | 'folder'

/**
 * Fields that people and programs attach to a file in the index, never in the file itself. `labels` is a set. No field
 * says null: an absent one does, since a merge patch knows no difference.
 */
export type Metadata = { readonly [field: string]: JsonValue }

/** The metadata field whose value is merged as a set of strings. */
export const labelsField = 'labels'

/** What is replicated of one file. */
export interface FileState {
  readonly path: FilePath
  readonly kind: FileKind
  /** In bytes; 0 for folders. */
  readonly size: number
  /** `null` for folders, and only for them. */
  readonly hash: ContentHash | null
  /** The owner's x bit; always false for folders. */
  readonly executable: boolean
  /** Modification time in whole microseconds since 1970; informational; 0 for folders. */
  readonly mtimeUs: number
  readonly metadata: Metadata
}

/** How a file looked on disk at the moment its state was taken: the expectation checked before it is replaced. */
export interface DiskStamp {
  readonly size: number
  /** As reported by the system, in milliseconds with fractions. Compared for equality only. */
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly inode: number
  /** Tells a reused inode from the same file; equal to 0 where the file system keeps no birth time. */
  readonly birthtimeMs: number
}

/** An entry of the *local* tree: what the workspace held when it was last looked at. */
export interface LocalFile {
  readonly id: FileId
  readonly state: FileState
  /** `null` when the file is not on disk under this name (see `absence`). */
  readonly stamp: DiskStamp | null
  /** The content was hashed while its mtime was too fresh to be trusted: hash it again at the next look. */
  readonly racy: boolean
  /**
   * Why a file of the remote tree is not looked for on disk although nobody deleted it here: this file system cannot
   * hold its name, or an ignore rule covers it. Its absence is no deletion, and nothing is written. `null` for
   * ordinary entries.
   */
  readonly absence: 'unrepresentable' | 'ignored' | null
}

/** An entry of the *remote* tree: the newest state that this instance has read from the chain. */
export interface RemoteFile {
  readonly id: FileId
  /** For a tombstone: the last state before the deletion. */
  readonly state: FileState
  /** The version that last changed this entry. */
  readonly version: number
  /** The version that deleted it; `null` while it is live. */
  readonly deletedVersion: number | null
  /** ISO 8601, UTC: the time that the deleting changeset states; `null` while it is live. */
  readonly deletedAt: string | null
}

/** One file in all three trees. A tree that does not have it says `null`. */
export interface FileTriple {
  readonly id: FileId
  readonly local: LocalFile | null
  /** What this instance and the remote last agreed on. */
  readonly synced: FileState | null
  readonly remote: RemoteFile | null
}
