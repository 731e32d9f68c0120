/** A progress bar on a terminal; nothing elsewhere. */
import type { Io } from './io.ts'
import type { Session } from './session.ts'

/** Shows the progress of runs until the returned function is called. */
export async function showProgress(io: Io, session: Session): Promise<() => void> {
  if (!io.isTerminal) return () => {}
  const { SingleBar } = (await import('cli-progress')).default
  const bar = new SingleBar({
    format: '{phase} [{bar}] {value}/{total}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  })
  bar.start(1, 0, { phase: 'start' })
  const unsubscribe = session.onProgress(({ phase, done, total }) => {
    bar.setTotal(Math.max(total, 1))
    bar.update(done, { phase })
  })
  return () => {
    unsubscribe()
    bar.stop()
  }
}
