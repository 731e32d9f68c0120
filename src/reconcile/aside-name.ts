/** Readable names for files that have to stand beside another one. */
import type { FilePath } from '../model/file-state.ts'
import { segmentBytesMax } from '../model/limits.ts'
import { nameOf, parentOf } from '../model/path.ts'

/** `now` is ISO 8601, UTC; `instance` is the name of the instance whose content is set aside. */
export interface AsideOptions {
  readonly instance: string
  readonly now: string
  /** From 2 on it is appended, to make a name unique. Default 1. */
  readonly attempt?: number
}

/** `dir/name (conflict from INSTANCE 2026-11-20 14.05).ext`, for a copy made by a policy or a resolution. */
export function conflictCopyPath(path: FilePath, options: AsideOptions): FilePath {
  return insert(path, `conflict from ${label(options)}`, options)
}

/** `dir/name (INSTANCE 2026-11-20 14.05).ext`, for a file whose path is taken. */
export function asidePath(path: FilePath, options: AsideOptions): FilePath {
  return insert(path, label(options), options)
}

/** The same name with a number: `name 2.ext`, for when even the readable name is taken. `attempt` 1 is the name itself. */
export function numberedPath(path: FilePath, attempt: number): FilePath {
  return attempt < 2 ? path : withSuffix(path, ` ${attempt}`)
}

function insert(path: FilePath, text: string, options: AsideOptions): FilePath {
  const attempt = options.attempt ?? 1
  return withSuffix(path, ` (${text})${attempt < 2 ? '' : ` ${attempt}`}`)
}

function label({ instance, now }: AsideOptions): string {
  return `${portableWord(instance)} ${now.slice(0, 10)} ${now.slice(11, 13)}.${now.slice(14, 16)}`
}

/** An instance's name is free text; what no file name may hold becomes a dash. */
function portableWord(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const word = text.toWellFormed().replace(/[\u0000-\u001f\u007f<>:"/\\|?*]/g, '-')
  return shorten(word.trim(), 64) || 'instance'
}

/** The suffix goes before the extension. The stem is shortened where the name would be too long for a disk. */
function withSuffix(path: FilePath, suffix: string): FilePath {
  const folder = parentOf(path)
  const name = nameOf(path)
  const dot = name.lastIndexOf('.')
  const long = Buffer.byteLength(name.slice(dot)) > 32
  const stem = dot > 0 && !long ? name.slice(0, dot) : name
  const extension = dot > 0 && !long ? name.slice(dot) : ''
  const room = segmentBytesMax - Buffer.byteLength(suffix) - Buffer.byteLength(extension)
  const renamed = `${shorten(stem, room)}${suffix}${extension}`
  return folder === '' ? renamed : `${folder}/${renamed}`
}

function shorten(text: string, bytesMax: number): string {
  let kept = ''
  let bytes = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > bytesMax) return kept
    kept += character
  }
  return kept
}
