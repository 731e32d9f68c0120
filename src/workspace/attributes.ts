/** Mode and modification time of a file: set on what is about to be placed, or on a file that stands already. */
import { constants } from 'node:fs'
import type { DiskStamp, FilePath } from '../model/file-state.ts'
import type { FileCalls, FileStats } from './file-calls.ts'
import { isExecutable, matchesStamp, mtimeUsOf } from './stamp.ts'
import { asStep, changed, doneWith, isExpected, lstatOrNull, type StepContext, withPlace } from './steps.ts'
import { systemCode } from './system-error.ts'
import type { Attributes, StepResult } from './workspace.ts'

/** 9999-12-31, which is more than most file systems hold: they clamp it further. */
const mtimeUsMax = 253_402_300_799_000_000

/**
 * Gives an open file its attributes. The x bits follow the r bits, as the umask left them. From `like`, the file that
 * will be replaced, the other bits and the owner are kept as far as the system lets us.
 */
export function applyAttributes(
  calls: FileCalls,
  fd: number,
  attributes: Attributes,
  like: FileStats | null,
): void {
  const own = calls.fstatSync(fd)
  if (like !== null && (like.uid !== own.uid || like.gid !== own.gid)) {
    try {
      calls.fchownSync(fd, like.uid, like.gid)
    } catch (error) {
      // Only root may give files away; then the file belongs to whom Davit runs as.
      if (systemCode(error) !== 'EPERM') throw error
    }
  }
  const mode = modeFor((like ?? own).mode, attributes.executable)
  if (mode !== (own.mode & 0o777)) calls.fchmodSync(fd, mode)
  setMtime(calls, fd, attributes.mtimeUs)
}

export function modeFor(mode: number, executable: boolean): number {
  const bits = mode & 0o777
  if (executable === ((bits & 0o100) !== 0)) return bits
  return executable ? bits | 0o100 | ((bits & 0o444) >> 2) : bits & ~0o111
}

function setMtime(calls: FileCalls, fd: number, mtimeUs: number): void {
  const clamped = Number.isFinite(mtimeUs) ? Math.min(Math.max(Math.round(mtimeUs), 0), mtimeUsMax) : 0
  // The system truncates to microseconds: half of one more makes a truncation out of it that is exact.
  const seconds = (clamped + 0.5) / 1e6
  try {
    calls.futimesSync(fd, seconds, seconds)
  } catch (error) {
    // A time that this file system cannot hold is no reason to refuse the content.
    if (systemCode(error) !== 'EINVAL') throw error
  }
}

/** Changes a file's x bit and mtime where the file is still the expected one. */
export function setAttributes(
  context: StepContext,
  path: FilePath,
  expected: DiskStamp,
  attributes: Attributes,
): Promise<StepResult> {
  const { calls } = context
  const otherwise = (): StepResult => changed
  return asStep(path, () =>
    withPlace<StepResult, StepResult>(
      context,
      path,
      { make: false, otherwise },
      async ({ target, parent }) => {
        if (lstatOrNull(calls, target)?.isFile() !== true) return changed
        const fd = calls.openSync(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
        try {
          const before = calls.fstatSync(fd)
          if (!isExpected(before, expected, matchesStamp) || !parent.isInPlace()) return changed
          const mode = modeFor(before.mode, attributes.executable)
          if (attributes.executable !== isExecutable(before))
            calls.fchmodSync(fd, mode | (before.mode & 0o7000))
          const setsTime = attributes.mtimeUs !== mtimeUsOf(before)
          // RACE: an edit between the look and this call loses its mtime. Its bytes stay; being racy, it is found.
          if (setsTime) setMtime(calls, fd, attributes.mtimeUs)
          context.unsettled.note(path)
          const after = calls.fstatSync(fd)
          const touched = !setsTime && after.mtimeMs !== before.mtimeMs
          if (touched || after.size !== before.size) return changed
          return doneWith(context, after, lstatOrNull(calls, target), { racy: setsTime })
        } finally {
          calls.closeSync(fd)
        }
      },
    ),
  )
}
