/** Which steps of an interrupted page were carried out, told by what stands on the disk afterwards. */
import type { FilePath } from '../model/file-state.ts'

/** A file that was to leave its path. */
export interface Leaving {
  readonly from: FilePath
  /** `null`: it was to be removed. */
  readonly to: FilePath | null
  /** It does not stand where it was any more. */
  readonly hasLeft: boolean
  /** It was found where it was to go. */
  readonly hasArrived: boolean
}

/**
 * Those that were carried out, in their order. `arrived` are the paths where new files were found that were to come
 * there. Nothing takes a path before whoever stood there has left it: where somebody has arrived, the former one was
 * moved or removed, although it may be found nowhere by now.
 */
export function carriedOut<T extends Leaving>(leavings: readonly T[], arrived: readonly FilePath[]): T[] {
  const leaverOf = new Map(leavings.map((leaving) => [leaving.from, leaving]))
  const done = new Set(leavings.filter(({ hasLeft, hasArrived }) => hasLeft && hasArrived))
  const taken = [...arrived, ...[...done].map(({ to }) => to)]
  // Ends: each leaving is added once.
  for (let path = taken.pop(); path !== undefined; path = taken.pop()) {
    const leaver = path === null ? undefined : leaverOf.get(path)
    if (leaver === undefined || !leaver.hasLeft || done.has(leaver)) continue
    done.add(leaver)
    taken.push(leaver.to)
  }
  return leavings.filter((leaving) => done.has(leaving))
}
