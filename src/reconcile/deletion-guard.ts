/**
 * Keeps a wiped folder or an emptied store from deleting everywhere else. Counted over a window, so that a slow `rm -r`
 * does not pass in pieces. Pure: the caller keeps the window.
 */
import { DavitError } from '../model/errors.ts'

/** The side whose files would go. */
export type GuardedSide = 'local' | 'remote'

/** Deletions since the side was last quiet, or since a person approved a plan. */
export interface DeletionWindow {
  readonly deletions: number
  /** Files that the side had when the window began. */
  readonly filesAtStart: number
  /** When the newest deletion in it happened, in milliseconds since 1970. */
  readonly lastAtMs: number
}

/** Halts when deletions exceed `fraction` of the files *and* `atLeast`. */
export interface MaxDelete {
  readonly fraction: number
  readonly atLeast: number
}

export type GuardVerdict =
  | { readonly kind: 'allowed'; readonly window: DeletionWindow | null }
  /** Nothing may be deleted; `reason` is a sentence. The window stays as it was: what did not happen is not counted. */
  | { readonly kind: 'halted'; readonly reason: string; readonly window: DeletionWindow | null }

/** A side that deleted nothing for so long begins a new window. */
export const quietMs = 10 * 60_000

/**
 * Whether a batch of deletions may go on. `filesTotal`: files that the side has now, before them. `window`: `null` at
 * the beginning and after an approval. A clock that went back keeps the window, which only errs on the side of asking.
 */
export function guardDeletions(input: {
  readonly side: GuardedSide
  readonly window: DeletionWindow | null
  readonly deletions: number
  readonly filesTotal: number
  readonly maxDelete: MaxDelete
  readonly nowMs: number
}): GuardVerdict {
  const { side, deletions, filesTotal, maxDelete, nowMs } = input
  const quiet = input.window === null || nowMs - input.window.lastAtMs >= quietMs
  const window = quiet ? null : input.window
  if (deletions === 0) return { kind: 'allowed', window }
  // Files that came while the window was open are files that it could delete.
  const filesAtStart =
    window === null ? filesTotal : Math.max(window.filesAtStart, filesTotal + window.deletions)
  const counted = (window?.deletions ?? 0) + deletions
  const tooMany = counted > maxDelete.atLeast && counted > maxDelete.fraction * filesAtStart
  if (tooMany) {
    const where = side === 'local' ? 'in the workspace' : 'in the store'
    const reason = `This would delete ${counted} of ${filesAtStart} files ${where}, more than ${describe(maxDelete, filesAtStart)}; nothing was deleted.`
    return { kind: 'halted', reason, window }
  }
  return { kind: 'allowed', window: { deletions: counted, filesAtStart, lastAtMs: nowMs } }
}

/** Fewer deletions than this never halt when the bound is a fraction. */
const atLeastByDefault = 10

/**
 * Reads `50%`, or a number of files such as `200` (then that many may go, however many there are). Throws
 * `configuration-invalid` for anything else.
 */
export function parseMaxDelete(text: string | number): MaxDelete {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(\s*%)?$/.exec(String(text).trim())
  const number = Number(match?.[1])
  if (match === null || (match[2] === undefined ? !Number.isInteger(number) : number > 100)) {
    throw new DavitError(
      'configuration-invalid',
      `maxDelete is '${text}', which is no share and no number.`,
      {
        action: 'give-up',
        hint: "Write a percentage such as '50%', or a number of files.",
      },
    )
  }
  if (match[2] === undefined) return { fraction: 0, atLeast: number }
  return { fraction: number / 100, atLeast: atLeastByDefault }
}

function describe({ fraction, atLeast }: MaxDelete, files: number): string {
  const share = Math.floor(fraction * files)
  return share > atLeast ? `${Number((fraction * 100).toFixed(6))} % (${share})` : `${atLeast}`
}
