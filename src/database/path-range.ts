/** Ranges of paths in the order of their UTF-8 bytes, for index range queries. */
import type { FilePath } from '../model/file-state.ts'

/** A text range: from inclusive, until exclusive; `null`: no bound. */
export interface TextRange {
  readonly from: string
  readonly until: string | null
}

/** What lies below a folder, the folder itself not included: `p/…`. '0' is the character behind '/'. */
export function rangeBelow(folder: FilePath): TextRange {
  return folder === '' ? { from: '', until: null } : { from: `${folder}/`, until: `${folder}0` }
}

/** All texts that begin with a prefix. */
export function rangeOfPrefix(prefix: string): TextRange {
  const points = [...prefix]
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0
    if (point === 0x10ffff) continue
    // Surrogates are no characters of their own.
    const next = point === 0xd7ff ? 0xe000 : point + 1
    return { from: prefix, until: points.join('') + String.fromCodePoint(next) }
  }
  return { from: prefix, until: null }
}
