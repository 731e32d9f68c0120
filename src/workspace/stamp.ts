/** Stamps: how a file is recognised as the one that was seen before. Pure, over the system's stat values. */
import type { DiskStamp } from '../model/file-state.ts'
import type { FileStats } from './file-calls.ts'

/** Timestamps closer to now than this may stay as they are over a further write (the coarsest file systems: 2 s). */
export const timestampGranularityMs = 2_000

/** Inode numbers beyond 2^53 lose their low bits, always in the same way: every stamp comes from here. */
export function stampOf(stats: FileStats): DiskStamp {
  return {
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    inode: stats.ino,
    birthtimeMs: stats.birthtimeMs,
  }
}

export function mtimeUsOf(stats: FileStats): number {
  return Math.round(stats.mtimeMs * 1_000)
}

export function isExecutable(stats: FileStats): boolean {
  return (stats.mode & 0o100) !== 0
}

/** Whether the file is, in every respect, the one of the stamp. */
export function matchesStamp(stats: FileStats, stamp: DiskStamp): boolean {
  return stats.ctimeMs === stamp.ctimeMs && matchesContent(stats, stamp)
}

/**
 * The same without ctime, which our own hard links and renames change.
 * RACE: a write that keeps the size and sets mtime back, between our own two calls, is not seen. It takes a program
 * that restores times on purpose within microseconds.
 */
export function matchesContent(stats: FileStats, stamp: DiskStamp): boolean {
  if (stats.size !== stamp.size || stats.mtimeMs !== stamp.mtimeMs || stats.ino !== stamp.inode) return false
  // Where no birth time is kept, the system answers 0 or repeats ctime.
  const known = (birth: number, ctime: number) => birth !== 0 && birth !== ctime
  if (!known(stats.birthtimeMs, stats.ctimeMs) || !known(stamp.birthtimeMs, stamp.ctimeMs)) return true
  return stats.birthtimeMs === stamp.birthtimeMs
}

/** Whether a write after `fromMs` could have left the mtime as it is; the look took place between the two instants. */
export function isRacy(mtimeMs: number, fromMs: number, untilMs: number): boolean {
  return mtimeMs > fromMs - timestampGranularityMs && mtimeMs < untilMs + timestampGranularityMs
}
