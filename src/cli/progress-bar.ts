/** A progress bar on a terminal; nothing elsewhere. */
import type { Io } from './io.ts'
import type { Session } from './session.ts'

/** Shows the progress of runs until the returned function is called. */
export async function showProgress(io: Io, session: Session): Promise<() => void> {
  const steps = await showSteps(io)
  const unsubscribe = session.onProgress(({ phase, done, total }) => steps.show(phase, done, total))
  return () => {
    unsubscribe()
    steps.close()
  }
}

export interface Steps {
  show(phase: string, done: number, total: number): void
  close(): void
}

/** Shows what it is told until it is closed. */
export async function showSteps(io: Io): Promise<Steps> {
  if (!io.isTerminal) return { show: () => {}, close: () => {} }
  const { SingleBar } = (await import('cli-progress')).default
  const bar = new SingleBar({
    format: '{phase} [{bar}] {value}/{total}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  })
  bar.start(1, 0, { phase: 'start' })
  return {
    show(phase, done, total) {
      bar.setTotal(Math.max(total, 1))
      bar.update(done, { phase })
    },
    close: () => bar.stop(),
  }
}
