/** Waiting for SIGINT or SIGTERM: the first one ends in good order, the second at once. */
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'

export interface Ending {
  /** Resolves with the first signal. */
  readonly asked: Promise<void>
  isAsked(): boolean
  /** Stops to listen. */
  forget(): void
}

/** Listens from now on, so that a signal during start-up is not lost. */
export function listenForEnd(io: Io): Ending {
  let isAsked = false
  let tell: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    tell = resolve
  })
  const forget = io.onSignal(() => {
    if (isAsked) return io.exit(exitCodes.interrupted)
    isAsked = true
    tell()
  })
  return { asked, isAsked: () => isAsked, forget }
}
