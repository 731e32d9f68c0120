/**
 * Which paths are not replicated: the configured patterns, those of `.davitignore` in the workspace's root (both in
 * gitignore syntax) and Davit's own. What is in an ignored folder is ignored.
 */
import { constants } from 'node:fs'
import path from 'node:path'
import ignore from 'ignore'
import { DavitError } from '../model/errors.ts'
import type { FileKind, FilePath } from '../model/file-state.ts'
import { stateFolderName } from '../model/path.ts'
import { type FileCalls, systemFileCalls } from './file-calls.ts'
import { readText } from './read-text.ts'
import { systemCode } from './system-error.ts'

export const ignoreFileName = '.davitignore'
/** Begins the names of files that must stand beside their target for a moment (other devices inside the workspace). */
export const temporaryPrefix = '.davit-tmp-'
const ignoreFileBytesMax = 1024 * 1024
/** `**` before the end of one pattern. Each one multiplies the time for a path by the number of its folders. */
const doubleStarsMax = 2

export interface IgnoreRules {
  /** The rules as text, to hand them to a worker and to see whether they changed. */
  readonly source: IgnoreSource
  ignores(target: FilePath, kind: FileKind): boolean
}

/** Plain data from which the same rules can be built anywhere. */
export interface IgnoreSource {
  readonly patterns: readonly string[]
  /** Folders of Davit inside the workspace, as workspace paths. */
  readonly own: readonly FilePath[]
}

export function createIgnoreRules(source: IgnoreSource): IgnoreRules {
  const matcher = ignore({ ignorecase: false }).add([...source.patterns])
  return {
    source,
    ignores(target, kind) {
      if (target === '') return false
      if (isOwnFolder(target)) return true
      if (source.own.some((folder) => target === folder || target.startsWith(`${folder}/`))) return true
      if (target.slice(target.lastIndexOf('/') + 1).startsWith(temporaryPrefix)) return true
      if (source.patterns.length === 0) return false
      return matcher.ignores(kind === 'folder' ? `${target}/` : target)
    },
  }
}

/** `.davit` at the root, in any spelling that some file system would take for it. */
export function isOwnFolder(target: FilePath): boolean {
  if (!target.startsWith('.') && target.charCodeAt(0) < 0x80) return false
  const slash = target.indexOf('/')
  const first = slash < 0 ? target : target.slice(0, slash)
  return first.normalize('NFKC').toLowerCase() === stateFolderName
}

/**
 * Reads `.davitignore`; a missing one has no patterns. Throws `file-unreadable` when it is there and cannot be read:
 * going on without it would send out what somebody wanted to keep.
 */
export function readIgnoreSource(options: {
  readonly root: string
  readonly stateFolder: string
  readonly patterns: readonly string[]
  readonly calls?: FileCalls
}): IgnoreSource {
  const relative = path.relative(options.root, options.stateFolder).split(path.sep).join('/')
  const inside =
    relative !== '' && relative !== '..' && !relative.startsWith('../') && !path.isAbsolute(relative)
  const lines = readIgnoreFile(
    options.calls ?? systemFileCalls,
    path.join(options.root, ignoreFileName),
  ).split(/\r?\n/)
  const endless = lines.find(isEndless)
  if (endless !== undefined)
    throw new DavitError(
      'file-unreadable',
      `The pattern '${endless}' in ${ignoreFileName} would take too long to match.`,
      {
        action: 'ask',
        hint: `Use '**' at most ${doubleStarsMax} times before the end of a pattern.`,
        details: { path: ignoreFileName },
      },
    )
  return {
    patterns: [...options.patterns, ...lines].filter((line) => line.trim() !== '' && !line.startsWith('#')),
    own: inside ? [stateFolderName, relative] : [stateFolderName],
  }
}

/** The file is replicated: whoever may write a file must not be able to stop everybody's scans with one line. */
function isEndless(pattern: string): boolean {
  const segments = pattern.replace(/\/+\s*$/, '').split('/')
  return segments.slice(0, -1).filter((segment) => /^!?\*\*$/.test(segment)).length > doubleStarsMax
}

function readIgnoreFile(calls: FileCalls, file: string): string {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  let fd: number | null = null
  try {
    fd = calls.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const stats = calls.fstatSync(fd)
    const text = stats.isFile() ? readText(calls, fd, ignoreFileBytesMax) : null
    if (text === null) throw new Error('it is no file of at most 1 MiB')
    return text.replace(/^\uFEFF/, '')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ''
    throw new DavitError('file-unreadable', `The ignore rules in ${ignoreFileName} cannot be read.`, {
      action: 'ask',
      hint: `Make ${ignoreFileName} a readable plain file of at most 1 MiB, or remove it.`,
      details: { path: ignoreFileName },
      cause: error,
    })
  } finally {
    if (fd !== null) calls.closeSync(fd)
  }
}
